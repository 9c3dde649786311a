"""Conversion of the UI format beyond what the editor was recorded with."""

import json
from random import Random

import pytest

from inglenook.engine.catalog import Catalog
from inglenook.engine.graph import Graph
from inglenook.workflows import WorkflowFormatError, to_graph
from tests.workflows.conftest import node, picture, preview, workflow


def inputs_of(document, catalog, node_id):
    return to_graph(document, catalog).graph[node_id]["inputs"]


def test_links_of_both_forms_are_read_anywhere(catalog):
    arrays = workflow(picture(), preview(2, 5), links=[(5, 1, 0, 2, 0, "IMAGE")])
    objects = {**arrays, "links": [{"id": 5, "origin_id": 1, "origin_slot": 0, "target_id": 2, "target_slot": 0}, None]}
    assert to_graph(arrays, catalog).graph == to_graph(objects, catalog).graph
    assert inputs_of(objects, catalog, "2")["images"] == ["1", 0]


def test_what_is_made_parses_as_a_graph_and_keeps_titles(catalog):
    document = workflow({**picture(), "title": "Mine"}, preview(2, 5), links=[(5, 1, 0, 2, 0, "IMAGE")])
    graph = Graph.parse(to_graph(document, catalog).graph)
    assert [entry.title for entry in graph.nodes.values()] == ["Mine", "Preview Image"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5, "fixed", 20, 8, "euler", "normal", 1], [5, 20, 8, "euler", "normal", 1]),
        ([5, True, 20, 8, "euler", "normal", 1], [5, 20, 8, "euler", "normal", 1]),
        ([5, 20, 8, "euler", "normal", 1], [5, 20, 8, "euler", "normal", 1]),
        ([5, "fixed", None, 20, 8, "euler", "normal", 1], [5, 20, 8, "euler", "normal", 1]),
        ([5, "randomize", 20, 8, "euler", "normal", 1, "surplus"], [5, 20, 8, "euler", "normal", 1]),
        ([5], [5, 20, 8.0, "euler", "normal", 1.0]),
        ({"steps": 3, "scheduler": "karras"}, [0, 3, 8.0, "euler", "karras", 1.0]),
        (None, [0, 20, 8.0, "euler", "normal", 1.0]),
    ],
)
def test_values_find_their_inputs(catalog, values, expected):
    found = inputs_of(workflow(node(1, "KSampler", values)), catalog, "1")
    assert [found[name] for name in ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise")] == expected


def test_values_that_were_given_to_inputs_by_their_type_are_reported(catalog):
    converted = to_graph(workflow(node(1, "KSampler", [5, 20, 8, "heun", "normal", 1])), catalog)
    (repair,) = converted.repairs
    assert (repair.node_id, repair.kind) == ("1", "values_realigned")
    assert repair.before == [5, 20, 8, "heun", "normal", 1]
    assert repair.after["sampler_name"] == "heun"


def test_values_pass_unchanged_even_where_the_server_will_refuse_them(catalog):
    found = inputs_of(workflow(node(1, "KSampler", ["5", "fixed", 0, 1e9, "unheard", "of", -3])), catalog, "1")
    assert [found[name] for name in ("seed", "steps", "cfg", "sampler_name", "denoise")] == ["5", 0, 1e9, "unheard", -3]


def test_lists_are_wrapped_so_that_they_are_no_links():
    document = {
        "Pick": {
            "input": {"required": {"names": ["COMBO", {"options": ["a", "b"], "multi_select": True}]}},
            "output": [],
            "output_node": True,
        }
    }
    assert inputs_of(workflow(node(1, "Pick", [["a", "b"]])), document, "1") == {"names": {"__value__": ["a", "b"]}}


def test_a_dynamic_combo_is_followed_by_the_widgets_of_what_was_chosen():
    inner = {"required": {"width": ["INT", {"default": 1}], "deep": ["COMFY_DYNAMICCOMBO_V3", {"options": [
        {"key": "x", "inputs": {"required": {"name": ["STRING", {}]}}}]}]}}  # fmt: skip
    options = [{"key": "scale", "inputs": inner}, {"key": "keep", "inputs": {}}]
    catalog = {
        "Resize": {
            "input": {"required": {"mode": ["COMFY_DYNAMICCOMBO_V3", {"options": options}], "last": ["BOOLEAN", {}]}},
            "output": [],
        }
    }
    scaled = inputs_of(workflow(node(1, "Resize", ["scale", 5, "x", "text", True])), catalog, "1")
    assert scaled == {"mode": "scale", "mode.width": 5, "mode.deep": "x", "mode.deep.name": "text", "last": True}
    assert inputs_of(workflow(node(1, "Resize", ["keep", True])), catalog, "1") == {"mode": "keep", "last": True}


def test_widgets_that_a_packs_script_adds_are_sent_when_they_were_saved_by_name():
    catalog = {"VHS_VideoCombine": {"input": {"required": {"frame_rate": ["FLOAT", {"default": 8}]}}, "output": []}}
    values = {"frame_rate": 24, "crf": 19, "videopreview": {"hidden": False}}
    assert inputs_of(workflow(node(1, "VHS_VideoCombine", values)), catalog, "1") == {"frame_rate": 24, "crf": 19}


@pytest.mark.parametrize("kind", ["Note", "MarkdownNote", "Fast Groups Bypasser (rgthree)"])
def test_notes_and_switches_of_the_editor_are_not_sent(catalog, kind):
    converted = to_graph(workflow(picture(), node(2, kind, ["text"])), catalog)
    assert list(converted.graph) == ["1"]
    assert converted.missing == ()


def test_a_variable_leads_from_where_it_is_read_to_what_it_was_set_to(catalog):
    document = workflow(
        picture(),
        node(2, "SetNode", ["picture"], [("IMAGE", "IMAGE", 5)]),
        node(3, "GetNode", ["picture"]),
        preview(4, 6),
        links=[(5, 1, 0, 2, 0, "IMAGE"), (6, 3, 0, 4, 0, "IMAGE")],
    )
    converted = to_graph(document, catalog)
    assert converted.graph["4"]["inputs"] == {"images": ["1", 0]}
    assert converted.missing == ()


def test_a_variable_that_is_set_to_itself_leads_nowhere(catalog):
    document = workflow(
        node(2, "SetNode", ["a"], [("x", "*", 5)]),
        node(3, "GetNode", ["a"]),
        preview(4, 6),
        links=[(5, 3, 0, 2, 0, "*"), (6, 3, 0, 4, 0, "*")],
    )
    assert inputs_of(document, catalog, "4") == {}


def test_unknown_classes_are_told_with_their_titles_and_what_they_may_have_been(catalog):
    document = workflow(
        node(1, "KSamplr", title="My sampler"), node(2, "KSamplr"), node(3, "Zzz"), node(4, "Gone", mode=2)
    )
    converted = to_graph(document, catalog)
    first, second = (missing.to_json() for missing in converted.missing)
    assert first["class_type"] == "KSamplr"
    assert first["nodes"] == [{"id": "1", "title": "My sampler"}, {"id": "2", "title": None}]
    assert first["near_matches"][0] == "KSampler"
    assert second == {"class_type": "Zzz", "nodes": [{"id": "3", "title": None}], "near_matches": []}


def test_a_bypassed_node_of_an_unknown_class_hands_on_its_input(catalog):
    unknown = node(2, "Gone", inputs=[("image", "IMAGE", 5)], mode=4, outputs=[{"name": "IMAGE", "type": "IMAGE"}])
    links = [(5, 1, 0, 2, 0, "IMAGE"), (6, 2, 0, 3, 0, "IMAGE")]
    converted = to_graph(workflow(picture(), unknown, preview(3, 6), links=links), catalog)
    assert converted.graph["3"]["inputs"] == {"images": ["1", 0]}
    assert converted.missing == ()


def test_links_that_go_in_circles_through_reroutes_lead_nowhere(catalog):
    document = workflow(
        node(1, "Reroute", inputs=[("", "*", 2)]),
        node(2, "Reroute", inputs=[("", "*", 1)]),
        preview(3, 3),
        links=[(1, 1, 0, 2, 0, "*"), (2, 2, 0, 1, 0, "*"), (3, 2, 0, 3, 0, "*")],
    )
    assert to_graph(document, catalog).graph["3"]["inputs"] == {}


def subgraph(name, *nodes, links=(), inputs=(), outputs=()):
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    return {
        "id": name,
        "nodes": list(nodes),
        "links": [dict(zip(keys, link, strict=True)) for link in links],
        "inputs": [{"name": one} for one in inputs],
        "outputs": [{"name": one} for one in outputs],
    }  # fmt: skip


def test_a_subgraph_that_only_hands_on_its_input_is_seen_through(catalog):
    inner = subgraph("sub", links=[(1, -10, 0, -20, 0)], inputs=["image"], outputs=["image"])
    document = workflow(
        picture(),
        node(2, "sub", inputs=[("image", "IMAGE", 5)]),
        preview(3, 6),
        links=[(5, 1, 0, 2, 0, "IMAGE"), (6, 2, 0, 3, 0, "IMAGE")],
        definitions={"subgraphs": [inner]},
    )
    converted = to_graph(document, catalog)
    assert list(converted.graph) == ["1", "3"]
    assert converted.graph["3"]["inputs"] == {"images": ["1", 0]}


def test_an_outer_value_reaches_a_widget_two_subgraphs_down_before_the_inner_ones(catalog):
    image = node(1, "EmptyImage", [1, 2, 3, 4], [("width", "INT", 1, "widget")])
    inner = subgraph("inner", image, links=[(1, -10, 0, 1, 0)], inputs=["w"])
    outer = subgraph("outer", node(1, "inner", [20], [("w", "INT", 1)]), links=[(1, -10, 0, 1, 0)], inputs=["wide"])
    definitions = {"subgraphs": [outer, inner]}
    given = workflow(node(9, "outer", [300]), definitions=definitions)
    assert inputs_of(given, catalog, "9:1:1")["width"] == 300
    silent = workflow(node(9, "outer"), definitions=definitions)
    assert inputs_of(silent, catalog, "9:1:1")["width"] == 20


@pytest.mark.parametrize(
    "subgraphs",
    [
        [subgraph("a", node(1, "a"))],
        [subgraph("a", node(1, "b")), subgraph("b", node(1, "a"))],
        [subgraph(str(index or "a"), node(1, str(index + 1))) for index in range(300)],
    ],
)
def test_subgraphs_that_contain_themselves_or_nest_without_end_are_refused(catalog, subgraphs):
    with pytest.raises(WorkflowFormatError, match=r"contains itself|nest too deeply"):
        to_graph(workflow(node(1, "a"), definitions={"subgraphs": subgraphs}), catalog)


def test_subgraphs_that_double_at_each_level_meet_the_limit_of_nodes(catalog):
    doubling = [subgraph(str(level), node(1, str(level + 1)), node(2, str(level + 1))) for level in range(60)]
    with pytest.raises(Exception, match="at most 500"):
        to_graph(workflow(node(1, "0"), definitions={"subgraphs": doubling}), catalog, max_nodes=500)


def test_a_long_chain_of_reroutes_is_followed_from_many_places(catalog):
    count = 3000
    chain = [node(index, "Reroute", inputs=[("", "*", index)]) for index in range(2, count)]
    ends = [preview(f"p{index}", f"l{index}") for index in range(count)]
    links = [(index, index - 1, 0, index, 0, "*") for index in range(2, count)]
    links += [(f"l{index}", count - 1, 0, f"p{index}", 0, "*") for index in range(count)]
    graph = to_graph(workflow(picture(), *chain, *ends, links=links), catalog).graph
    assert len(graph) == count + 1
    assert graph[f"p{count - 1}"]["inputs"] == {"images": ["1", 0]}


ODD = [None, True, 1.5, 10**30, "", "a", "\ud800", [], {}, [[]], {"a": None}]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_values_in_any_place_of_a_file_are_survived(catalog, odd):
    places = ("id", "type", "mode", "inputs", "outputs", "widgets_values", "properties", "title")
    nodes = [{**picture(index), place: odd} for index, place in enumerate(places)]
    sockets = [
        {**preview(100 + index, 1), "inputs": [{"name": "images", "type": "IMAGE", "link": 1, place: odd}]}
        for index, place in enumerate(("name", "type", "link", "widget"))
    ]
    links = [[odd, 1, 0, 2, 0, "*"], [1, odd, 0, 2, 0, "*"], [1, 1, odd, 2, 0], [1, 1, 0, 100, odd], odd]
    definitions = {"subgraphs": [{"id": "s", "nodes": odd, "links": odd, "inputs": odd, "outputs": odd}, odd]}
    document = workflow(
        *nodes, *sockets, node("x", "s"), node("y", "workflow>g"),
        definitions=definitions, extra={"groupNodes": {"g": {"nodes": odd, "links": odd, "external": odd}}},
    )  # fmt: skip
    converted = to_graph({**document, "links": links}, catalog, random=Random(1))
    json.dumps(converted.graph)
    for key in ("links", "definitions", "extra"):
        to_graph({**document, key: odd}, catalog)


@pytest.mark.parametrize("document", [None, 5, "text", [], {}, {"nodes": {}}, {"1": {"class_type": "X"}}])
def test_what_is_no_ui_format_is_refused(catalog, document):
    with pytest.raises(WorkflowFormatError):
        to_graph(document, catalog)


def test_an_object_info_document_serves_as_a_catalog(catalog):
    document = workflow(picture())
    assert to_graph(document, catalog.object_info()).graph == to_graph(document, catalog).graph
    assert isinstance(catalog, Catalog)
