"""Reading API-format documents."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.engine.graph import Graph, GraphError, Link, ListConstant
from tests.engine.toys import node


def test_links_and_constants_are_told_apart() -> None:
    graph = Graph.parse({"1": node("A"), "2": node("B", link=["1", 0], text="x", pair=["y", 1], many=[1, 2, 3])})
    inputs = graph.nodes["2"].inputs
    assert inputs["link"] == Link("1", 0)
    assert inputs["text"] == "x"
    assert inputs["pair"] == ["y", 1], "no node y: not a link"
    assert inputs["many"] == [1, 2, 3]


@pytest.mark.parametrize("written", [["4", 1], [4, 1], [4.0, 1], ["4", 1.0]])
def test_numeric_ids_and_slots_in_links_are_normalised(written: list[Any]) -> None:
    graph = Graph.parse({"4": node("A"), "6": node("B", x=written)})
    assert graph.nodes["6"].inputs["x"] == Link("4", 1)
    assert graph.to_json()["6"]["inputs"]["x"] == ["4", 1]


@pytest.mark.parametrize("written", [["4"], ["4", "0"], [["4"], 0], [True, 0], ["4", True], ["4", 0.5], [{}, {}]])
def test_other_arrays_stay_what_they_are(written: list[Any]) -> None:
    graph = Graph.parse({"4": node("A"), "6": node("B", x=written)})
    assert graph.nodes["6"].inputs["x"] == written


def test_wrapped_list_is_a_constant_and_survives_the_round_trip() -> None:
    document = {"4": node("A"), "6": node("B", x={"__value__": ["4", 0]})}
    graph = Graph.parse(document)
    assert type(graph.nodes["6"].inputs["x"]) is ListConstant
    assert graph.to_json() == document
    assert Graph.parse(graph.to_json()) == graph


def test_title_and_unknown_keys_are_kept() -> None:
    document = {"1": {**node("A"), "_meta": {"title": "Mine"}, "is_changed": [1]}}
    graph = Graph.parse(document)
    assert graph.nodes["1"].title == "Mine"
    assert graph.to_json() == document


@pytest.mark.parametrize(
    "document", [None, [], "text", 5, {"1": 5}, {"1": []}, {"1": {"class_type": "A", "inputs": []}}]
)
def test_wrong_shapes_are_refused_as_invalid_prompt(document: Any) -> None:
    with pytest.raises(GraphError) as caught:
        Graph.parse(document)
    assert caught.value.body()["type"] == "invalid_prompt"


@pytest.mark.parametrize("class_type", [None, 5, [], {}, True])
def test_node_without_class_is_missing_node_type(class_type: Any) -> None:
    with pytest.raises(GraphError) as caught:
        Graph.parse({"7": {"class_type": class_type, "inputs": {}, "_meta": {"title": "Mine"}}})
    body = caught.value.body()
    assert body["type"] == "missing_node_type"
    assert "'Mine' has no class_type" in body["message"]
    assert body["details"] == "Node ID '#7'"
    assert body["extra_info"]["node_id"] == "7"
    assert body["extra_info"]["node_title"] == "Mine"


def test_too_many_nodes_and_too_deep_values_are_refused() -> None:
    with pytest.raises(GraphError, match="at most 2"):
        Graph.parse({str(index): node("A") for index in range(3)}, max_nodes=2)
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(GraphError, match="nested too deeply"):
        Graph.parse({"1": node("A", x=deep)})


def test_fingerprint_ignores_order_and_titles_but_not_inputs_or_ids() -> None:
    first = {"1": node("A", x=1, y="z"), "2": node("B", a=["1", 0])}
    other_order = {"2": node("B", a=["1", 0]), "1": {**node("A", y="z", x=1), "_meta": {"title": "t"}}}
    fingerprint = Graph.parse(first).fingerprint()
    assert fingerprint == Graph.parse(other_order).fingerprint()
    assert fingerprint != Graph.parse({**first, "1": node("A", x=2, y="z")}).fingerprint()
    assert fingerprint != Graph.parse({**first, "1": node("A", x=1.0, y="z")}).fingerprint()
    assert fingerprint != Graph.parse({"7": first["1"], "2": node("B", a=["7", 0])}).fingerprint()


def test_fingerprint_of_values_that_json_libraries_refuse() -> None:
    odd = {"1": node("A", big=10**400, text="\ud800", infinite=float("inf"))}
    assert Graph.parse(odd).fingerprint() == Graph.parse(odd).fingerprint()


scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=5)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
documents = st.dictionaries(
    st.text(max_size=3),
    st.fixed_dictionaries(
        {
            "class_type": st.text(max_size=3),
            "inputs": st.dictionaries(
                st.text(max_size=3), values | st.tuples(st.text(max_size=3), st.integers(0, 3)), max_size=4
            ),
        }
    ),
    max_size=6,
)


@given(documents)
def test_parsing_what_was_written_gives_an_equal_graph(document: dict[str, Any]) -> None:
    as_json = {
        node_id: {**body, "inputs": {k: list(v) if isinstance(v, tuple) else v for k, v in body["inputs"].items()}}
        for node_id, body in document.items()
    }
    graph = Graph.parse(as_json)
    again = Graph.parse(graph.to_json())
    assert again == graph
    assert again.fingerprint() == graph.fingerprint()
    assert list(again.nodes) == list(as_json)
