"""Several workers' classes as one catalog."""

import pytest

from inglenook.dispatch.catalog_union import union


def combo(*choices, **options):
    return {"input": {"required": {"name": [list(choices), options]}}, "output": []}


def test_all_classes_are_there_and_the_first_worker_says_what_they_look_like():
    first = {"A": combo("x", tooltip="first")}
    together = union([first, {"A": combo("x", tooltip="second"), "B": combo()}])
    assert together == {"A": combo("x", tooltip="first"), "B": combo()}
    assert union([first]) is first
    assert union([first, {"A": combo("x", tooltip="first")}]) is first
    assert union([]) == {}


def test_choices_of_all_are_offered_once():
    first, second = {"A": combo("x", "y")}, {"A": combo("y", "z")}
    assert union([first, second])["A"]["input"]["required"]["name"][0] == ["x", "y", "z"]
    assert first == {"A": combo("x", "y")}, "what a worker said is not changed"


def test_a_list_of_this_machines_files_gets_those_of_others_behind_it():
    local = {"A": {"input": {"required": {"name": [{"files": "checkpoints"}]}}}}
    found = union([local, {"A": combo("far.safetensors")}, {"A": combo("far.safetensors", "more.safetensors")}])
    assert found["A"]["input"]["required"]["name"][0] == {
        "files": "checkpoints",
        "extra": ["far.safetensors", "more.safetensors"],
    }
    assert union([{"A": combo("far")}, local])["A"]["input"]["required"]["name"][0]["extra"] == ["far"]


def test_the_newer_style_of_combo_is_united_too():
    def new(*names):
        return {"A": {"input": {"optional": {"name": ["COMBO", {"options": list(names), "default": names[0]}]}}}}

    assert union([new("a"), new("b")])["A"]["input"]["optional"]["name"][1] == {"options": ["a", "b"], "default": "a"}


def test_input_files_are_those_of_this_machine():
    local = {"A": {"input": {"required": {"image": [{"input": "image"}]}}}}
    assert union([local, {"A": {"input": {"required": {"image": [["far.png"]]}}}}]) == local


@pytest.mark.parametrize(
    "odd",
    [None, [], "text", 5, {"input": None}, {"input": []}, {"input": {"required": 5}},
     {"input": {"required": {"name": None}}}, {"input": {"required": {"name": []}}},
     {"input": {"required": {"name": ["COMBO"]}}}, {"input": {"required": {"name": ["COMBO", 5]}}},
     {"input": {"required": {"name": [[{}, [], None]]}}}, {"input": {"required": {"name": [{"extra": ["a"]}]}}}],
)  # fmt: skip
def test_documents_of_any_shape_are_survived(odd):
    for several in ([{"A": combo("x")}, {"A": odd}], [{"A": odd}, {"A": combo("x")}]):
        assert union(several).keys() == {"A"}


def test_versions_of_a_class_are_united_in_their_inputs():
    first = {"input": {"required": {"text": ["STRING"], "old": ["INT"]}, "optional": {"more": ["INT"]}},
             "input_order": {"required": ["text", "old"], "optional": ["more"]}, "output": ["IMAGE"]}  # fmt: skip
    second = {"input": {"required": {"text": ["STRING"], "q": ["INT"], "more": ["INT"]}}, "output": ["IMAGE", "MASK"]}
    found = union([{"A": first}, {"A": second}])["A"]
    assert found == {
        "input": {
            "required": {"text": ["STRING"]},
            "optional": {"old": ["INT"], "more": ["INT"], "q": ["INT"]},
        },
        "input_order": {"required": ["text"], "optional": ["old", "more", "q"]},
        "output": ["IMAGE", "MASK"],
        "engine": {"differs": True},
    }
    assert "q" not in first["input"]["optional"], "what a worker said is not changed"
    again = union([{"A": first}, {"A": second}, {"A": {**first, "display_name": "the same again"}}])["A"]
    assert again == found


def test_a_number_has_the_range_of_all():
    def number(**options):
        return {"A": {"input": {"required": {"n": ["INT", options]}}, "output": []}}

    found = union([number(min=0, max=5, step=2), number(min=-3, max=4)])["A"]
    assert found["input"]["required"]["n"] == ["INT", {"min": -3, "max": 5, "step": 2}]
    assert union([number(min=0), number()])["A"]["input"]["required"]["n"] == ["INT", {}]
    assert union([number(), number(min=0)])["A"]["input"]["required"]["n"] == ["INT", {}]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("IMAGE", "LATENT", "IMAGE,LATENT"),
        ("IMAGE, MASK", "MASK,*", "IMAGE,MASK,*"),
        ("IMAGE", "INT", "IMAGE"),
        ("STRING", "INT", "STRING"),
        ("IMAGE", "COMFY_AUTOGROW_V3", "IMAGE"),
        ("IMAGE", ["a"], "IMAGE"),
        ("IMAGE", "", "IMAGE"),
        ("IMAGE", 5, "IMAGE"),
    ],
)
def test_an_input_for_links_has_the_types_of_all(first, second, expected):
    found = union([{"A": {"input": {"required": {"x": [kind, {}]}}, "output": []}} for kind in (first, second)])
    assert found["A"]["input"]["required"]["x"] == [expected, {}]
