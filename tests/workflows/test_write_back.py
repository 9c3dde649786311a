"""Values written into workflows of the editor's format."""

import json
from copy import deepcopy

import pytest

from inglenook.workflows import WorkflowFormatError, to_graph
from inglenook.workflows.write_back import NotWritable, write_values
from tests.workflows.conftest import node, picture, preview, read_data, workflow

CASES = read_data("editor_exports.json.gz")


def written(document, values, catalog):
    before = json.dumps(document)
    result = write_values(document, values, catalog)
    assert json.dumps(document) == before, "the document itself was changed"
    return result


def test_a_widget_keeps_its_place_in_the_list(catalog):
    document = workflow(picture(), preview(2, 5), links=[(5, 1, 0, 2, 0, "IMAGE")])
    result = written(document, {("1", "width"): 128, ("1", "color"): 9}, catalog)
    assert result["nodes"][0]["widgets_values"] == [128, 48, 1, 9]
    assert result["nodes"][1:] == document["nodes"][1:]


def test_the_values_that_only_the_editor_uses_stay(catalog):
    sampler = node(1, "KSampler", [5, "randomize", 20, 8, "euler", "normal", 1])
    result = written(workflow(sampler), {("1", "seed"): 6, ("1", "steps"): 9}, catalog)
    assert result["nodes"][0]["widgets_values"] == [6, "randomize", 9, 8, "euler", "normal", 1]


def test_a_list_that_ends_early_is_filled_with_what_it_stands_for(catalog):
    result = written(workflow(node(1, "KSampler", [5])), {("1", "denoise"): 0.5}, catalog)
    assert result["nodes"][0]["widgets_values"] == [5, "fixed", 20, 8.0, "euler", "normal", 0.5]


def test_values_by_name_stay_by_name(catalog):
    result = written(workflow(node(1, "KSampler", {"steps": 3})), {("1", "cfg"): 2.5}, catalog)
    assert result["nodes"][0]["widgets_values"] == {"steps": 3, "cfg": 2.5}


def test_a_primitive_node_gets_the_value_that_it_hands_on(catalog):
    primitive = node(7, "PrimitiveNode", [64, "fixed"])
    image = node(1, "EmptyImage", [1, 48, 1, 7], inputs=[("width", "INT", 3, True)])
    document = workflow(primitive, image, links=[(3, 7, 0, 1, 0, "INT")])
    result = written(document, {("1", "width"): 256}, catalog)
    assert result["nodes"][0]["widgets_values"] == [256, "fixed"]
    assert to_graph(result, catalog).graph["1"]["inputs"]["width"] == 256


def subgraph(values, **instance):
    inner = {
        "id": "sub",
        "nodes": [node(1, "EmptyImage", [64, 48, 1, 7], inputs=[("width", "INT", 4, True)])],
        "links": [{"id": 4, "origin_id": -10, "origin_slot": 0, "target_id": 1, "target_slot": 0}],
        "inputs": [{"name": "wide", "linkIds": [4]}],
        "outputs": [],
    }
    outer = node(12, "sub", values, inputs=[("wide", "INT", None, True)], **instance)
    return workflow(outer, definitions={"subgraphs": [inner]})


def test_an_instance_of_a_subgraph_gets_the_values_that_it_shows(catalog):
    result = written(subgraph([64]), {("12:1", "width"): 512}, catalog)
    assert result["nodes"][0]["widgets_values"] == [512]
    assert result["definitions"] == subgraph([64])["definitions"]


def test_what_the_instance_does_not_show_is_written_into_the_subgraph(catalog):
    result = written(subgraph([64]), {("12:1", "height"): 32}, catalog)
    assert result["definitions"]["subgraphs"][0]["nodes"][0]["widgets_values"] == [64, 32, 1, 7]
    assert result["nodes"][0]["widgets_values"] == [64]


def test_one_of_several_listed_widgets_of_an_instance_is_the_right_one(catalog):
    listed = {"proxyWidgets": [["1", "batch_size"], ["1", "height"]]}
    result = written(subgraph([2, 48], properties=listed), {("12:1", "height"): 96}, catalog)
    assert result["nodes"][0]["widgets_values"] == [2, 96]


def test_a_prompt_that_is_drawn_anew_each_time_is_written_as_it_is(catalog):
    encoder = node(1, "CLIPTextEncode", ["a cat"], inputs=[("clip", "CLIP", None)])
    result = written(workflow(encoder), {("1", "text"): "a {red|blue} cat, 肖像"}, catalog)
    assert result["nodes"][0]["widgets_values"] == ["a {red|blue} cat, 肖像"]


@pytest.mark.parametrize("place", [("1", "nothing"), ("9", "width"), ("2", "images"), ("1:2", "width"), ("", "")])
def test_what_has_no_widget_cannot_be_written(place, catalog):
    document = workflow(picture(), preview(2, 5), links=[(5, 1, 0, 2, 0, "IMAGE")])
    with pytest.raises(NotWritable):
        write_values(document, {place: 5}, catalog)


def test_two_values_of_one_primitive_contradict_each_other(catalog):
    primitive = node(7, "PrimitiveNode", [64, "fixed"])
    inputs = [("width", "INT", 3, True), ("height", "INT", 4, True)]
    document = workflow(
        primitive, node(1, "EmptyImage", [1, 48, 1, 7], inputs=inputs),
        links=[(3, 7, 0, 1, 0, "INT"), (4, 7, 0, 1, 1, "INT")],
    )  # fmt: skip
    with pytest.raises(WorkflowFormatError):
        write_values(document, {("1", "width"): 5, ("1", "height"): 6}, catalog)
    same = written(document, {("1", "width"): 5, ("1", "height"): 5}, catalog)
    assert same["nodes"][0]["widgets_values"][0] == 5


def _changed(value):
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, (int, float)) else "written"


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case["compare"] == "graph"])
def test_the_values_of_recorded_workflows_can_be_written(name, recorded_catalog):
    document = CASES[name]["workflow"]
    graph = to_graph(document, recorded_catalog).graph
    places = [
        (node_id, name)
        for node_id, entry in graph.items()
        for name, value in entry["inputs"].items()
        if type(value) in (int, float, str) and name in recorded_catalog.get(entry["class_type"]).inputs
        and recorded_catalog.get(entry["class_type"]).inputs[name].type in ("INT", "FLOAT", "STRING")
    ]  # fmt: skip
    for place in places[:: max(1, len(places) // 4)]:
        value = _changed(graph[place[0]]["inputs"][place[1]])
        result = write_values(deepcopy(document), {place: value}, recorded_catalog)
        assert to_graph(result, recorded_catalog).graph[place[0]]["inputs"][place[1]] == value
