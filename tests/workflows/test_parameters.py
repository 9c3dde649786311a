"""Recognising, addressing and setting the parameters of small workflows."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.engine.catalog import Catalog
from inglenook.nodes.interfaces import builtin_interfaces
from inglenook.workflows.parameters import ParameterError, apply, recognise, schema

INT, TEXT = ["INT", {"default": 0}], ["STRING", {"default": ""}]
OTHERS = {
    "CPackInputString": {"input": {"required": {"value": TEXT}}, "output": ["STRING"]},
    "CPackInputImage": {"input": {"required": {"image": [["a.png"], {"image_upload": True}]}}, "output": ["IMAGE"]},
    "ComfyUIDeployExternalNumberInt": {
        "input": {
            "required": {"input_id": TEXT},
            "optional": {"default_value": INT, "display_name": TEXT, "description": TEXT, "min_value": INT},
        },
        "output": ["INT"],
    },
    "ComfyUIDeployExternalImage": {
        "input": {"required": {"input_id": TEXT}, "optional": {"default_value": ["IMAGE"], "display_name": TEXT}},
        "output": ["IMAGE"],
    },
    "SwarmInputInteger": {
        "input": {"required": {"title": TEXT, "value": INT, "min": INT, "max": INT, "description": TEXT}},
        "output": ["INT"],
    },
    "PrimitiveString": {"input": {"required": {"value": TEXT}}, "output": ["STRING"]},
    "PrimitiveInt": {"input": {"required": {"value": INT}}, "output": ["INT"]},
    "SomeTTSNode": {
        "input": {
            "required": {"text": ["STRING", {"multiline": True}], "voice": [["amy", "bob"]], "fast": ["BOOLEAN"]}
        },
        "output": ["AUDIO"],
    },
    "WildSwitch": {"input": {"optional": {"a": ["*"], "b": ["*"]}}, "output": ["*"]},
}
FILES = {"dog.png", "sub/dog.png [input]", "speech.wav"}


@pytest.fixture(scope="module")
def catalog():
    lists = {
        "samplers": ("euler", "euler_ancestral", "dpmpp_2m", "heun"),
        "schedulers": ("normal", "karras", "simple"),
        "checkpoints": ("a.safetensors", "b.safetensors"),
    }
    return Catalog.from_documents(
        {**builtin_interfaces(), **OTHERS},
        lambda source: lists.get(source.key, ()),
        lambda value, kind: value in FILES,
    )


def node(kind, title=None, **inputs):
    found = {"class_type": kind, "inputs": inputs}
    return found if title is None else {**found, "_meta": {"title": title}}


def text_to_image(**changes):
    graph = {
        "4": node("CheckpointLoaderSimple", ckpt_name="a.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=512, batch_size=1),
        "6": node("CLIPTextEncode", text="a cat", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="fog", clip=["4", 1]),
        "3": node(
            "KSampler",
            **{"seed": 5, "steps": 20, "cfg": 8.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0},
            **{"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]},
        ),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", images=["8", 0], filename_prefix="cat"),
    }
    return {**graph, **changes}


def names(graph, catalog):
    return {one.name: one.key for one in recognise(graph, catalog)}


def roles(graph, catalog):
    return {one.key: one.role for one in recognise(graph, catalog)}


def set_values(graph, catalog, values, **options):
    return apply(graph, recognise(graph, catalog), values, catalog, **options)


def problems(graph, catalog, values):
    with pytest.raises(ParameterError) as caught:
        set_values(graph, catalog, values)
    return caught.value.problems


# Recognising


def test_the_parameters_of_text_to_image_have_plain_names_and_come_in_the_order_of_their_use(catalog):
    assert names(text_to_image(), catalog) == {
        "positive_prompt": "6.text",
        "negative_prompt": "7.text",
        "seed": "3.seed",
        "steps": "3.steps",
        "cfg": "3.cfg",
        "sampler": "3.sampler_name",
        "scheduler": "3.scheduler",
        "denoise": "3.denoise",
        "width": "5.width",
        "height": "5.height",
        "batch_size": "5.batch_size",
        "checkpoint": "4.ckpt_name",
        "output_prefix": "9.filename_prefix",
    }


def test_a_parameter_tells_type_range_options_and_where_it_is(catalog):
    found = {one.name: one for one in recognise(text_to_image(), catalog)}
    steps, sampler, prompt = found["steps"], found["sampler"], found["positive_prompt"]
    assert (steps.type, steps.default, steps.minimum, steps.maximum) == ("integer", 20, 1, 10000)
    assert (sampler.type, sampler.options[0], sampler.group) == ("choice", "euler", "sampling")
    assert (prompt.multiline, prompt.title, prompt.node_id, prompt.required) == (
        True,
        "CLIP Text Encode (Prompt)",
        "6",
        False,
    )


def test_which_prompt_is_negative_is_told_by_the_sampler_and_not_by_order_or_title(catalog):
    graph = text_to_image()
    graph["6"]["_meta"] = {"title": "Negative"}
    graph["3"]["inputs"] |= {"positive": ["7", 0], "negative": ["6", 0]}
    assert names(graph, catalog)["positive_prompt"] == "7.text"
    graph["6"]["_meta"] = {"title": "Positive"}
    assert names(graph, catalog)["negative_prompt"] == "6.text"


def test_prompts_are_found_through_nodes_that_pass_conditioning_on_and_through_joined_texts(catalog):
    graph = text_to_image(
        **{
            "6": node("CLIPTextEncode", text=["20", 0], clip=["4", 1]),
            "20": node("PrimitiveString", value="a dog"),
            "21": node("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["22", 0]),
            "22": node("CLIPTextEncode", text="in rain", clip=["4", 1]),
            "23": node("WildSwitch", a=["21", 0]),
        }
    )
    graph["3"]["inputs"]["positive"] = ["23", 0]
    found = roles(graph, catalog)
    assert [found[key] for key in ("20.value", "22.text", "7.text")] == [
        "positive_prompt",
        "positive_prompt",
        "negative_prompt",
    ]


def test_without_a_sampler_titles_say_which_prompt_is_which_in_chinese_too(catalog):
    graph = {
        "1": node("CLIPTextEncode", "负面提示词", text="fog"),
        "2": node("CLIPTextEncode", "正面提示词", text="cat"),
        "3": node("CLIPTextEncode", "foo", text="cat"),
    }
    assert roles(graph, catalog) == {"1.text": "negative_prompt", "2.text": "positive_prompt", "3.text": "prompt"}
    assert [one.title for one in recognise(graph, catalog)][:2] == ["正面提示词", "负面提示词"]


def test_a_primitive_has_the_role_of_what_it_feeds(catalog):
    graph = text_to_image(**{"30": node("PrimitiveInt", "foo", value=30), "31": node("PrimitiveInt", "步数", value=30)})
    graph["5"]["inputs"]["width"] = ["30", 0]
    found = roles(graph, catalog)
    assert (found["30.value"], found["31.value"]) == ("width", "steps")
    assert "5.width" not in found


def test_classes_that_no_worker_has_still_have_parameters(catalog):
    graph = {"1": node("NoSuchSampler", seed=3, steps=4, positive=["2", 0]), "2": node("NoSuchEncoder", text="a cat")}
    assert roles(graph, catalog) == {"2.text": "positive_prompt", "1.seed": "seed", "1.steps": "steps"}


def test_what_a_speaking_node_says_is_a_parameter_of_its_own(catalog):
    graph = {"1": node("SomeTTSNode", text="hello", voice="amy")}
    found = {one.name: (one.key, one.type) for one in recognise(graph, catalog)}
    assert found["tts_text"] == ("1.text", "string")
    assert found["some_tts_node_fast"] == ("1.fast", "boolean")


def test_several_of_a_role_are_told_apart_by_title_then_use_then_class(catalog):
    graph = {
        "1": node("LoadImage", image="dog.png"),
        "2": node("LoadImage", "Style", image="dog.png"),
        "3": node("ImageInvert", image=["1", 0]),
        "4": node("EmptyImage", width=1, height=1, batch_size=1, color=0),
        "5": node("EmptyLatentImage", width=1, height=1, batch_size=1),
        "6": node("EmptyLatentImage", width=1, height=1, batch_size=1),
    }
    found = names(graph, catalog)
    assert (found["image"], found["image_style"]) == ("1.image", "2.image")
    assert (found["width"], found["width_6"], found["width_empty_image"]) == ("5.width", "6.width", "4.width")


def test_marked_inputs_of_other_programs_keep_the_names_that_their_authors_gave(catalog):
    graph = {
        "1": node("CPackInputString", "My Caption", value="x"),
        "2": node("CPackInputImage", "photo", image="dog.png"),
        "3": node(
            "ComfyUIDeployExternalNumberInt", input_id="numSteps", default_value=7, description="how many", min_value=0
        ),
        "4": node("ComfyUIDeployExternalImage", input_id="输入图", display_name="x"),
        "5": {
            "class_type": "SwarmInputInteger",
            "inputs": {"title": "Tile Size", "value": 8, "min": 1, "max": 9, "description": "tiles"},
        },
        "6": node("PrimitiveInt", "SwarmUI: Extra", value=3),
        "7": node("PrimitiveString", "输入：风格", value="x"),
    }
    found = {one.name: one for one in recognise(graph, catalog)}
    assert {name: one.key for name, one in found.items()} == {
        "my_caption": "1.value",
        "photo": "2.image",
        "numSteps": "3.default_value",
        "输入图": "4.input_id",
        "tile_size": "5.value",
        "extra": "6.value",
        "风格": "7.value",
    }
    assert (found["numSteps"].description, found["photo"].media) == ("how many", "image")
    assert (found["输入图"].media, found["输入图"].required, found["输入图"].default) == ("image", True, None)
    assert (found["tile_size"].minimum, found["tile_size"].maximum) == (1, 9)


@given(
    st.lists(
        st.tuples(st.sampled_from(["LoadImage", "KSampler", "CPackInputString", "X"]), st.text(max_size=9)), max_size=12
    )
)
def test_no_two_parameters_have_one_name_whatever_the_titles(catalog, nodes):
    graph = {str(index): node(kind, title, value=1, image="a") for index, (kind, title) in enumerate(nodes)}
    found = [one.name for one in recognise(graph, catalog)]
    assert len(found) == len(set(found))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    )
)
def test_documents_that_are_no_nodes_are_looked_over(catalog, junk):
    strange = {"class_type": "KSampler", "inputs": junk, "_meta": junk}
    linked = node("KSampler", seed=junk, positive=[junk, 0])
    graph = text_to_image(**{"90": junk, "91": strange, "92": {"class_type": junk}, "93": linked})
    assert "seed" in names(graph, catalog)
    graph["91"]["inputs"] = {"positive": ["91", 0], "model": ["92", 0], "seed": junk}
    recognise(graph, catalog)


# Addresses


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("positive_prompt", "6.text"),
        ("Positive_Prompt", "6.text"),
        ("6.text", "6.text"),
        ("6-inputs-text", "6.text"),
        ("Sampler No. 1.seed", "3.seed"),
        ("sampler no. 1.seed", "3.seed"),
        ("KSampler.steps", "3.steps"),
        ("EmptyLatentImage.width", "5.width"),
        ("3.STEPS", "3.steps"),
        ("KSAMPLER.Steps", "3.steps"),
        ("sampler no. 1.STEPS", "3.steps"),
    ],
)
def test_a_parameter_is_addressed_by_name_node_title_or_class(catalog, address, key):
    graph = text_to_image()
    graph["3"]["_meta"] = {"title": "Sampler No. 1"}
    value = "7" if key.endswith("text") else 64
    node_id, name = key.split(".")
    assert set_values(graph, catalog, {address: value}).graph[node_id]["inputs"][name] == value


@pytest.mark.parametrize(
    ("address", "choices"),
    [
        ("CLIPTextEncode.text", ["positive_prompt", "negative_prompt"]),
        ("positve_prompt", ["positive_prompt"]),
        ("6.txt", ["6.text"]),
        ("prompt", ["positive_prompt", "negative_prompt"]),
        ("nothing like it", ["positive_prompt"]),
    ],
)
def test_an_unknown_or_ambiguous_address_is_told_with_the_choices(catalog, address, choices):
    (problem,) = problems(text_to_image(), catalog, {address: "x"})
    assert problem["parameter"] == address
    assert set(choices) <= set(problem["choices"])


def test_what_must_be_linked_is_no_choice(catalog):
    (problem,) = problems(text_to_image(), catalog, {"6.txt": "x"})
    assert problem["choices"] == ["6.text"]


def test_inputs_whose_names_differ_by_case_alone_are_told_apart(catalog):
    graph = {"1": node("NotThere", A=1, a=2)}
    assert set_values(graph, catalog, {"1.A": 5, "1.a": 6}).graph["1"]["inputs"] == {"A": 5, "a": 6}


def test_a_picture_that_is_loaded_as_a_mask_is_a_mask(catalog):
    (mask, _) = recognise({"1": node("LoadImageMask", image="dog.png", channel="red")}, catalog)
    assert (mask.name, mask.role, mask.type, mask.media) == ("mask", "mask", "mask", "image")


@pytest.mark.parametrize("join", ["StringConcatenate", "UnknownJoin"])  # the title helps where the class is unknown
def test_the_text_that_others_are_joined_to_is_the_prompt(catalog, join):
    graph = text_to_image()
    graph["20"] = node("PrimitiveString", "Positive prompt", value="a cat")
    graph["21"] = node(join, string_a=["20", 0], string_b="masterpiece", delimiter=", ")
    graph["6"]["inputs"]["text"] = ["21", 0]
    by_key = {one.key: one.name for one in recognise(graph, catalog)}
    assert by_key["20.value"] == "positive_prompt"
    assert by_key["21.string_b"] != "positive_prompt"


@pytest.mark.parametrize("class_type", ["ModelSamplingFluxNew", "CLIPTextEncodeSDXLNew"])
def test_sizes_inside_of_unknown_classes_are_not_those_of_the_picture(catalog, class_type):
    graph = {**text_to_image(), "20": node(class_type, model=["4", 0], width=1024, height=1024)}
    named = {one.name: one.key for one in recognise(graph, catalog) if one.role in ("width", "height")}
    assert named == {"width": "5.width", "height": "5.height"}


def test_all_that_is_wrong_is_told_at_once(catalog):
    found = problems(text_to_image(), catalog, {"a": 1, "steps": "many", "3.model": 1, "seed": 4})
    assert [problem["parameter"] for problem in found] == ["a", "steps", "3.model"]
    assert "MODEL" in found[2]["message"]


def test_an_input_that_the_class_declares_is_known_although_the_node_lacks_it(catalog):
    graph = text_to_image()
    del graph["3"]["inputs"]["denoise"]
    assert set_values(graph, catalog, {"3.denoise": 0.5}).graph["3"]["inputs"]["denoise"] == 0.5


def test_a_linked_text_is_replaced_by_the_value(catalog):
    graph = text_to_image(**{"20": node("PrimitiveString", value="a dog")})
    graph["6"]["inputs"]["text"] = ["20", 0]
    applied = set_values(graph, catalog, {"6.text": "a horse"})
    assert applied.graph["6"]["inputs"]["text"] == "a horse"
    assert applied.used == {"6.text": "a horse"}


def test_two_addresses_of_one_input_must_agree(catalog):
    (problem,) = problems(text_to_image(), catalog, {"seed": 1, "3.seed": 2})
    assert problem["choices"] == ["seed", "3.seed"]
    assert set_values(text_to_image(), catalog, {"seed": 1, "3.seed": "1"}).used == {"seed": 1}


# Values


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("steps", "5", 5),
        ("steps", 5.0, 5),
        ("cfg", "7.5", 7.5),
        ("cfg", 7, 7),
        ("sampler", "EULER", "euler"),
        ("sampler", "Euler a", "euler_ancestral"),
        ("scheduler", "Karras", "karras"),
        ("positive_prompt", 42, "42"),
        ("positive_prompt", "一只猫", "一只猫"),
        ("checkpoint", "b.safetensors", "b.safetensors"),
        ("seed", 2**64 - 1, 2**64 - 1),
    ],
)
def test_a_value_that_fits_is_taken_in_the_type_of_the_input(catalog, name, value, taken):
    used = set_values(text_to_image(), catalog, {name: value}).used
    assert used == {name: taken}
    assert type(used[name]) is type(taken)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 5.5),
        ("steps", "5.5"),
        ("steps", True),
        ("steps", 0),
        ("steps", 10**6),
        ("steps", [1]),
        ("steps", "9" * 5000),
        ("seed", 2**64),
        ("seed", -2),
        ("cfg", float("nan")),
        ("cfg", float("inf")),
        ("cfg", "nan"),
        ("cfg", 10**400),
        ("cfg", {"a": 1}),
        ("sampler", "eulr"),
        ("sampler", 3),
        ("sampler", True),
        ("positive_prompt", ["6", 0]),
        ("positive_prompt", True),
    ],
)
def test_a_value_that_does_not_fit_is_refused(catalog, name, value):
    (problem,) = problems(text_to_image(), catalog, {name: value})
    assert problem["parameter"] == name
    json.dumps(problem)


def test_a_refused_option_comes_with_the_options(catalog):
    (problem,) = problems(text_to_image(), catalog, {"sampler": "eulr"})
    assert problem["choices"][0] == "euler"


@pytest.mark.parametrize(("value", "taken"), [("yes", True), ("FALSE", False), (1, True), (0, False), (True, True)])
def test_booleans_are_read_in_words(catalog, value, taken):
    graph = {"1": node("SomeTTSNode", text="hello", voice="amy", fast=False)}
    assert set_values(graph, catalog, {"1.fast": value}).used == {"some_tts_node_fast": taken}
    assert problems(graph, catalog, {"1.fast": "maybe"})[0]["choices"] == [True, False]


def test_files_must_be_there(catalog):
    graph = {"1": node("LoadImage", image="gone.png")}
    assert set_values(graph, catalog, {"image": "dog.png"}).used == {"image": "dog.png"}
    assert set_values(graph, catalog, {"image": "sub/dog.png [input]"}).used
    for value in ("cat.png", "", 5, "../../etc/passwd", {"name": "dog.png"}):
        assert "image" in problems(graph, catalog, {"image": value})[0]["parameter"]


def test_a_seed_of_minus_one_is_drawn_and_told(catalog):
    used = [set_values(text_to_image(), catalog, {"seed": value}).used["seed"] for value in (-1, "-1", -1.0)]
    assert len(set(used)) == 3
    assert all(0 <= seed < 2**53 for seed in used)
    graph = text_to_image()
    graph["3"]["inputs"]["seed"] = -1
    applied = set_values(graph, catalog, {}, random=random.Random(1))
    assert applied.graph["3"]["inputs"]["seed"] == applied.used["seed"] >= 0


def test_null_leaves_what_is_there_and_the_graph_that_was_given_is_not_changed(catalog):
    graph = text_to_image()
    before = json.dumps(graph)
    assert set_values(graph, catalog, {"seed": None}).used == {}
    set_values(graph, catalog, {"seed": 9})
    assert json.dumps(graph) == before


# Schema


def test_the_schema_of_the_values_says_what_apply_takes(catalog):
    graph = text_to_image(
        **{"20": node("LoadImage", image="dog.png"), "4": node("ComfyUIDeployExternalImage", input_id="pic")}
    )
    found = schema(recognise(graph, catalog))
    assert found["required"] == ["pic"]
    properties = found["properties"]
    assert (properties["steps"]["type"], properties["steps"]["minimum"]) == ("integer", 1)
    assert properties["seed"]["minimum"] == -1
    assert "euler" in properties["sampler"]["enum"]
    assert (properties["image"]["type"], properties["image"]["x-media"]) == ("string", "image")
    json.dumps(found)
