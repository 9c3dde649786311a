"""What a job asks of its worker."""

from inglenook.dispatch.needs import needs, needs_of
from inglenook.engine.catalog import Catalog
from inglenook.engine.graph import Graph

CATALOG = Catalog.from_documents(
    {
        "Load": {"input": {"required": {"ckpt_name": [{"files": "checkpoints"}]}}, "output": ["MODEL"]},
        "Lora": {"input": {"required": {"model": ["MODEL"], "lora_name": [["a.safetensors"]]}}, "output": ["MODEL"]},
        "Sample": {
            "input": {
                "required": {"model": ["MODEL"], "sampler": ["COMBO", {"options": ["euler"]}], "text": ["STRING"]}
            },
            "output": ["IMAGE"],
            "output_node": True,
        },
        "Picture": {"input": {"required": {"image": [["p.png"], {"image_upload": True}]}}, "output": ["IMAGE"]},
        "Show": {"input": {"required": {"image": ["IMAGE"]}}, "output": [], "output_node": True},
    },
    lambda source: (),
    lambda value, kind: True,
)


def graph(**inputs):
    return Graph.parse(
        {
            "1": {"class_type": "Load", "inputs": {"ckpt_name": "big.safetensors"}},
            "2": {"class_type": "Lora", "inputs": {"model": ["1", 0], "lora_name": "a.safetensors"}},
            "3": {
                "class_type": "Sample",
                "inputs": {"model": ["2", 0], "sampler": "euler", "text": "x.ckpt", **inputs},
            },
            "4": {"class_type": "Picture", "inputs": {"image": "p.png"}},
            "5": {"class_type": "Show", "inputs": {"image": ["4", 0]}},
        }
    )


def test_choices_and_model_files_are_needed_but_not_texts_and_input_files():
    found = needs_of(graph(), ["3", "5"], CATALOG)
    assert found.class_types == {"Load", "Lora", "Sample", "Picture", "Show"}
    assert found.choices == {
        ("Load", "ckpt_name", "big.safetensors"),
        ("Lora", "lora_name", "a.safetensors"),
        ("Sample", "sampler", "euler"),
    }
    assert dict(found.files) == {"big.safetensors": 1.0, "a.safetensors": 0.1}


def test_nodes_that_do_not_run_need_no_models():
    assert needs_of(graph(), ["5"], CATALOG).files == ()
    assert needs_of(graph(), ["gone"], CATALOG).choices == frozenset()


def test_a_class_that_nobody_knows_is_needed_all_the_same():
    unknown = Graph.parse({"1": {"class_type": "New", "inputs": {"a": "b.safetensors"}}})
    assert needs_of(unknown, ["1"], CATALOG).class_types == {"New"}


def test_equal_needs_are_one_object_and_other_texts_make_no_other_kind():
    first, second = needs_of(graph(text="cat"), ["3"], CATALOG), needs_of(graph(text="dog"), ["3"], CATALOG)
    assert first is second
    assert needs_of(graph(sampler="ddim"), ["3"], CATALOG) is not first
    assert needs({"A"}) is needs(["A"])


def test_a_file_of_this_machine_that_a_plain_list_does_not_have_is_brought_along():
    documents = {"Own": {"input": {"required": {"model": [["a", "mine"]]}}, "output": [], "output_node": True}}
    catalog = Catalog.from_documents(documents, lambda source: (), lambda value, kind: value.startswith("mine"))

    def chosen(value):
        return needs_of(Graph.parse({"1": {"class_type": "Own", "inputs": {"model": value}}}), ["1"], catalog).choices

    assert chosen("mine.png") == frozenset()
    assert chosen("mine") == {("Own", "model", "mine")}
    assert chosen("b") == {("Own", "model", "b")}


def test_embeddings_that_texts_name_are_needed():
    text = "a star, embedding:foo, (embedding:sub/bar.pt:1.2) [embedding:baz.v1]\nembedding:foo noembedding:x"
    assert needs_of(graph(text=text), ["3"], CATALOG).embeddings == {"foo", "sub/bar", "baz.v1"}
    assert needs_of(graph(text=text), ["5"], CATALOG).embeddings == frozenset()
    many = " ".join(f"embedding:{number}" for number in range(500))
    assert len(needs_of(graph(text=many), ["3"], CATALOG).embeddings) == 100
