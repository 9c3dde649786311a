"""Packs in the newer style: images and texts."""

import io
import json

import pytest
from PIL import Image

from tests.packs.popular.harness import constant, shown, solid
from tests.packs.rules.harness import new_key, node, of_type

GREY = 0x404040


def adjusted(**inputs):
    given = {"amount": 2.0, "mode": "multiply"} | inputs
    return {"1": solid(GREY), "2": node("V3Images_Adjust", image=["1", 0], **given)}


def test_the_interface_of_a_class(server):
    info = server.info("V3Images_Adjust")
    assert info["input"]["required"]["mode"][1]["options"] == ["multiply", "add"]
    assert info["input"]["required"]["amount"][1]["display"] == "slider"
    assert list(info["input"]["optional"]) == ["clamp", "mask"]
    assert (info["display_name"], info["output_name"]) == ("Adjust", ["image", "mean"])


@pytest.mark.parametrize(
    ("inputs", "level"), [({}, 128), ({"mode": "add", "amount": 0.5}, 191), ({"amount": 4.0, "clamp": True}, 255)]
)
def test_numbers_choices_and_optional_inputs(server, inputs, level):
    graph = adjusted(**inputs)
    (picture,) = server.pictures(graph, "2")
    assert abs(int(picture[0, 0, 0]) - level) <= 1
    assert abs(float(server.value(graph, "2", 1)) - level / 255) < 0.01


def test_a_mask_may_be_linked(server):
    graph = adjusted() | {"m": node("SolidMask", value=0.0, width=32, height=16)}
    graph["2"]["inputs"]["mask"] = ["m", 0]
    (picture,) = server.pictures(graph, "2")
    assert picture.max() == 0x40


def test_values_out_of_range_or_not_in_the_list_are_refused(server):
    graph = adjusted(amount=5.0, mode="divide") | {"p": node("PreviewImage", images=["2", 0])}
    types = [problem["type"] for problem in server.refused(graph)["node_errors"]["2"]["errors"]]
    assert types == ["value_bigger_than_max", "value_not_in_list"]


@pytest.mark.parametrize(("opacity", "ran"), [(0.0, {"base"}), (1.0, {"top"}), (0.5, {"base", "top"})])
def test_lazy_inputs_run_when_they_are_needed(server, opacity, ran):
    graph = {
        "base": node("V3Images_Shape", shape="smallest", level=0.0),
        "top": node("V3Images_Shape", shape="smallest", level=0.8),
        "blend": node("V3Images_Blend", base=["base", 0], top=["top", 0], opacity=opacity),
        "p": node("PreviewImage", images=["blend", 0]),
    }
    server.post("/free", {"free_memory": True})
    messages = server.watch(graph)
    assert {data["node"] for data in of_type(messages, "executing")} & {"base", "top"} == ran
    (image,) = of_type(messages, "executed")[0]["output"]["images"]
    assert abs(int(server.picture(image)[0, 0, 0]) - opacity * 0.8 * 255) <= 1


@pytest.mark.parametrize(
    ("save", "kind", "count", "form"),
    [
        ("preview", "temp", 2, "PNG"),
        ("png", "output", 2, "PNG"),
        ("webp", "output", 1, "WEBP"),
        ("mask", "temp", 2, "PNG"),
    ],
)
def test_pictures_are_shown_and_saved_with_the_workflow(server, save, kind, count, form):
    graph = {"1": solid(count=2), "2": node("V3Images_Describe", images=["1", 0], save=save, filename_prefix="v3/a")}
    output = server.outputs(graph, extra_data={"extra_pnginfo": {"workflow": {"id": 3}}})["2"]
    assert [image["type"] for image in output["images"]] == [kind] * count
    picture = Image.open(io.BytesIO(server.file(output["images"][0])))
    assert (picture.format, picture.size) == (form, (32, 16))
    if form == "PNG":
        assert json.loads(picture.text["prompt"]) == graph
    else:
        assert output["animated"] == [True]
        assert picture.n_frames in (1, 2)


def test_asynchronous_nodes_wait_together_and_tell_their_progress(server):
    graph = {str(i): node("V3Images_SlowFill", size=16, level=i / 10) for i in range(4)}
    graph["batch"] = node("V3Images_BatchAny", **{f"items.item{i}": [str(i), 0] for i in range(4)})
    graph["p"] = node("PreviewImage", images=["batch", 0])
    graph["most"] = shown("3", 1)
    messages = server.conversation(graph)
    told = [message for message in messages if isinstance(message, dict)]
    assert {step["node"] for step in of_type(told, "progress")} >= {"0", "1", "2", "3"}
    assert any(isinstance(message, bytes) for message in messages)
    outputs = {data["node"]: data["output"] for data in of_type(told, "executed")}
    assert [int(server.picture(image)[0, 0, 0]) for image in outputs["p"]["images"]] == [0, 25, 51, 76]
    assert int(outputs["most"]["text"][0]) >= 2


def test_a_row_of_inputs_grows_and_has_one_type(server):
    graph = {"a": solid(1), "b": solid(2), "m": node("SolidMask", value=1.0, width=32, height=16)}
    graph["1"] = node("V3Images_BatchAny", **{"items.item0": ["a", 0], "items.item1": ["b", 0]})
    assert len(server.pictures(graph, "1")) == 2
    assert server.value(graph, "1", 1) == "item0 item1"
    masks = node("V3Images_BatchAny", **{"items.item0": ["m", 0], "items.item1": ["m", 0]})
    graph |= {"2": masks, "3": node("MaskToImage", mask=["2", 0])}
    assert len(server.pictures(graph, "3")) == 2
    del graph["1"]["inputs"]["items.item1"]
    refused = server.refused({key: graph[key] for key in "a1"} | {"p": node("PreviewImage", images=["1", 0])})
    assert refused["node_errors"]["1"]["errors"][0]["type"] == "required_input_missing"


def test_named_inputs_and_a_validator(server):
    graph = {
        "a": constant(new_key()),
        "b": constant("B"),
        "1": node("V3Images_Pick", name="second", **{"values.first": ["a", 0], "values.second": ["b", 0]}),
    }
    ran = {data["node"] for data in of_type(server.watch(graph | {"s": shown("1")}), "executing")}
    assert (ran, server.value(graph, "1")) == ({"b", "1", "s", None}, "B")
    graph["1"]["inputs"]["name"] = "third"
    graph["s"] = shown("1")
    assert "the third is taken" in str(server.refused(graph)["node_errors"]["1"])


@pytest.mark.parametrize(
    ("inputs", "what"),
    [
        ({"shape": "square", "shape.side": 5}, "square 5x5"),
        ({"shape": "rectangle", "shape.width": 4, "shape.height": 3}, "rectangle 4x3"),
        ({"shape": "like", "shape.image": ["i", 0]}, "like 32x16"),
        ({"shape": "smallest"}, "smallest 1x1"),
    ],
)
def test_a_choice_that_brings_inputs(server, inputs, what):
    graph = {"i": solid(), "1": node("V3Images_Shape", level=1.0, **inputs)}
    assert server.value(graph, "1", 1) == what


def test_inputs_of_a_choice_are_checked(server):
    graph = {"1": node("V3Images_Shape", level=1.0, **{"shape": "square", "shape.side": 500}), "s": shown("1", 1)}
    (problem,) = server.refused(graph)["node_errors"]["1"]["errors"]
    assert problem["type"] == "value_bigger_than_max"


# texts


def test_texts_are_joined_and_shown(server):
    graph = {"1": constant("a"), "2": node("TextKit_Join", a=["1", 0], b="b", separator="/")}
    graph["3"] = node("TextKit_Show", value=["2", 0])
    graph["4"] = node("TextKit_Show", value=["2", 1])
    outputs = server.outputs(graph)
    assert (outputs["3"]["text"], outputs["4"]["text"]) == (["a/b"], ["3"])


def test_hidden_values(server):
    graph = {"own": node("TextKit_Whereabouts")}
    extra = {"extra_pnginfo": {"workflow": {"title": "kit"}}, "api_key_comfy_org": "secret"}
    graph["s"] = shown("own")
    assert server.outputs(graph, extra_data=extra)["s"]["text"] == ["own TextKit_Whereabouts kit True None"]


def test_a_file_is_checked_before_and_read_again_after_a_change(server):
    graph = {"1": node("TextKit_ReadFile", file="start.txt"), "s": shown("1"), "n": shown("1", 1)}
    first = server.outputs(graph)
    assert first["s"]["text"] == ["a first text"]
    assert server.outputs(graph)["n"] == first["n"]
    (server.base / "input" / "start.txt").write_text("a second text")
    assert server.outputs(graph)["s"]["text"] == ["a second text"]
    graph["1"]["inputs"]["file"] = "gone.txt"
    assert "no such text: gone.txt" in str(server.refused(graph)["node_errors"]["1"])


def test_lists_of_files_are_fresh(server):
    (server.base / "input" / "fresh.txt").write_text("fresh")
    options = server.info("TextKit_ReadFile")["input"]["required"]["file"][1]
    assert "fresh.txt" in options["options"]
    assert options["image_upload"] is True
    assert server.value({"1": node("TextKit_ReadFile", file="fresh.txt")}, "1") == "fresh"


def test_lists_and_types_of_the_packs_own(server):
    graph = {
        "split": node("TextKit_Split", text="a,b,c", separator=","),
        "count": node("TextKit_Count", words=["split", 1], list=["split", 0]),
        "note": node("TextKit_ReadNote", note=["count", 1]),
        "upper": node("TextKit_Join", a=["split", 0], b="!", separator=""),
        "each": node("ShowText|pt", text=["upper", 0]),
    }
    assert server.value(graph, "count") == "6"
    assert server.value(graph, "note") == "count: 6"
    assert server.outputs(graph)["each"]["text"] == ["a!", "b!", "c!"]
    graph["wrong"] = node("TextKit_ReadNote", note=["split", 1])
    refused = server.refused({"split": graph["split"], "wrong": graph["wrong"], "s": shown("wrong")})
    assert refused["node_errors"]["wrong"]["errors"][0]["type"] == "return_type_mismatch"


def test_a_node_becomes_a_chain_of_nodes_or_blocks(server):
    graph = {"1": node("TextKit_Repeat", text="ab", times=3)}
    assert server.value(graph, "1") == "ab ab ab"
    blocked = {"1": node("TextKit_Repeat", text=new_key(), times=0), "s": shown("1")}
    (error,) = of_type(server.watch(blocked), "execution_error")
    assert "nothing to repeat" in error["exception_message"]


def test_a_class_that_was_replaced_is_used_in_its_place(server):
    graph = {
        "1": constant("left"),
        "2": node("TextKit_OldJoin", first=["1", 0], second="right"),
        "s": node("TextKit_Show", value=["2", 1]),
    }
    assert server.outputs(graph)["s"]["text"] == ["left+right"]
