"""Old classes are rewritten to those that replace them."""

from __future__ import annotations

from inglenook.engine.graph import Graph
from inglenook.engine.replacement import NodeReplacement, replace_nodes
from tests.engine.toys import node

GRAPH = Graph.parse(
    {
        "1": node("Source"),
        "2": {**node("OldScale", image=["1", 0], scale_by=2, other=1), "_meta": {"title": "mine"}},
        "3": node("Save", images=["2", 0], mask=["2", 1]),
    }
)
REPLACEMENT = NodeReplacement(
    "NewScale",
    "OldScale",
    input_mapping=[
        {"new_id": "input", "old_id": "image"},
        {"new_id": "mode.factor", "old_id": "scale_by"},
        {"new_id": "gone", "old_id": "not there"},
        {"new_id": "mode", "set_value": "by"},
        {"new_id": "list", "set_value": [1, 2]},
    ],
    output_mapping=[{"new_idx": 1, "old_idx": 0}, {"new_idx": 0, "old_idx": 1}],
)


def test_class_inputs_and_slots_are_rewritten() -> None:
    graph, done = replace_nodes(GRAPH, {"Source", "Save", "NewScale"}, {"OldScale": [REPLACEMENT]})
    written = graph.to_json()
    assert written["2"] == {
        "class_type": "NewScale",
        "inputs": {"input": ["1", 0], "mode.factor": 2, "mode": "by", "list": {"__value__": [1, 2]}},
        "_meta": {"title": "mine"},
    }
    assert written["3"]["inputs"] == {"images": ["2", 1], "mask": ["2", 0]}
    assert [(each.node_id, each.old_class, each.new_class) for each in done] == [("2", "OldScale", "NewScale")]


def test_first_replacement_with_a_known_class_is_taken() -> None:
    bare = NodeReplacement("Bare", "OldScale")
    graph, _ = replace_nodes(GRAPH, {"Source", "Save", "Bare"}, {"OldScale": [REPLACEMENT, bare]})
    assert graph.nodes["2"].class_type == "Bare"
    assert graph.nodes["2"].inputs == {}
    assert graph.to_json()["3"] == GRAPH.to_json()["3"]


def test_known_classes_and_those_without_replacement_stay() -> None:
    for classes in ({"Source", "Save", "OldScale", "NewScale"}, {"Source", "Save"}):
        graph, done = replace_nodes(GRAPH, classes, {"OldScale": [REPLACEMENT]})
        assert graph is GRAPH
        assert done == []
