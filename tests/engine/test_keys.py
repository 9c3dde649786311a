"""Laws of cache keys."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inglenook.engine.graph import Graph, Link
from inglenook.engine.keys import NEVER, Key, add_keys, changed_value, node_key
from tests.engine.toys import node


def keys_of(graph: Graph, changed: dict[str, Any] | None = None, with_ids: bool = False) -> dict[str, Key]:
    keys: dict[str, Key] = {}
    add_keys(
        graph.nodes,
        lambda each: node_key(each, each.id if with_ids else None, (changed or {}).get(each.id), keys),
        keys,
    )
    return keys


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    """Acyclic graphs: each node may link to earlier ones."""
    size = draw(st.integers(1, 12))
    document = {}
    for index in range(size):
        inputs: dict[str, Any] = {"value": draw(st.integers(0, 3) | st.text(max_size=2) | st.booleans() | st.none())}
        for name in draw(st.lists(st.sampled_from("abc"), unique=True, max_size=3)) if index else ():
            inputs[name] = [str(draw(st.integers(0, index - 1))), draw(st.integers(0, 1))]
        document[str(index)] = node(draw(st.sampled_from("AB")), **inputs)
    return document


def descendants(document: dict[str, Any], start: str) -> set[str]:
    found = {start}
    for node_id, body in document.items():  # sources come first
        if any(isinstance(value, list) and value[0] in found for value in body["inputs"].values()):
            found.add(node_id)
    return found


@given(graphs(), st.data())
def test_changing_a_constant_changes_the_keys_downstream_only(document: dict[str, Any], data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(sorted(document)))
    changed = {
        **document,
        chosen: node(document[chosen]["class_type"], **{**document[chosen]["inputs"], "value": "new"}),
    }
    before, after = keys_of(Graph.parse(document)), keys_of(Graph.parse(changed))
    assert {node_id for node_id in document if before[node_id] != after[node_id]} == descendants(document, chosen)


@given(graphs(), st.data())
def test_ids_and_order_do_not_matter(document: dict[str, Any], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(sorted(document)))
    names = {node_id: f"n{new}" for node_id, new in zip(document, shuffled, strict=True)}
    renamed = {
        names[node_id]: node(
            body["class_type"],
            **{
                name: [names[value[0]], value[1]] if isinstance(value, list) else value
                for name, value in reversed(body["inputs"].items())
            },
        )
        for node_id, body in reversed(document.items())
    }
    before, after = keys_of(Graph.parse(document)), keys_of(Graph.parse(renamed))
    assert {names[node_id]: key for node_id, key in before.items()} == after


@settings(max_examples=40)
@given(graphs())
def test_equal_keys_mean_equal_ancestry(document: dict[str, Any]) -> None:
    keys = keys_of(Graph.parse(document))

    def unfolded(node_id: str) -> str:
        body = document[node_id]
        inputs = {
            name: (unfolded(value[0]), value[1]) if isinstance(value, list) else (type(value).__name__, value)
            for name, value in sorted(body["inputs"].items())
        }
        return repr((body["class_type"], inputs))

    for first in document:
        for second in document:
            assert (keys[first] == keys[second]) == (unfolded(first) == unfolded(second))


@pytest.mark.parametrize(
    ("first", "second"), [(1, True), (1, 1.0), ("1", 1), (None, 0), ([1], 1), ({"a": 1}, [["a", 1]])]
)
def test_values_of_different_types_differ(first: Any, second: Any) -> None:
    one, two = (keys_of(Graph.parse({"1": node("A", x=value)}))["1"] for value in (first, second))
    assert one != two


def test_key_is_the_same_in_every_process() -> None:
    key = keys_of(Graph.parse({"1": node("A", x=1, y=[1, 2, {"b": 1, "a": None}])}))["1"]
    assert key is not None
    assert key.hex() == keys_of(Graph.parse({"2": node("A", y=[1, 2, {"a": None, "b": 1}], x=1)}))["2"].hex()  # type: ignore[union-attr]
    assert len(key) == 16


def test_id_takes_part_where_the_class_says_so() -> None:
    keys = keys_of(Graph.parse({"1": node("A"), "2": node("A")}), with_ids=True)
    assert keys["1"] != keys["2"]


def test_change_detection_takes_part_and_nan_equals_nothing() -> None:
    graph = Graph.parse({"1": node("A"), "2": node("B", x=["1", 0]), "3": node("C")})
    first, second = keys_of(graph, {"1": ["hash one"]}), keys_of(graph, {"1": ["hash two"]})
    assert first["1"] != second["1"]
    assert first["2"] != second["2"]
    assert first["3"] == second["3"]
    never = keys_of(graph, {"1": changed_value([float("nan")])})
    assert (never["1"], never["2"]) == (None, None)
    assert changed_value(float("nan")) is NEVER
    assert changed_value([True]) == [True]


def test_constants_without_a_value_equal_nothing() -> None:
    graph = Graph.parse({"1": node("A", x=1)})
    graph.nodes["1"].inputs["x"] = object()
    assert keys_of(graph)["1"] is None


def test_nodes_on_a_cycle_have_no_key() -> None:
    graph = Graph.parse(
        {"1": node("A", x=["2", 0]), "2": node("A", x=["1", 0]), "3": node("A", x=["2", 0]), "4": node("A")}
    )
    keys = keys_of(graph)
    assert [keys[node_id] is None for node_id in "1234"] == [True, True, True, False]


def test_link_and_a_constant_that_looks_like_one_differ() -> None:
    graph = Graph.parse({"1": node("A"), "2": node("B", x=["1", 0])})
    key = keys_of(graph)
    source = key["1"]
    graph.nodes["2"].inputs["x"] = [source, 0]
    assert keys_of(graph)["2"] != key["2"]
    graph.nodes["2"].inputs["x"] = Link("1", 1)
    assert keys_of(graph)["2"] != key["2"]


def test_chain_of_ten_thousand() -> None:
    document = {"0": node("A")} | {str(index): node("A", x=[str(index - 1), 0]) for index in range(1, 10_000)}
    keys = keys_of(Graph.parse(dict(reversed(document.items()))))
    assert len(set(keys.values())) == 10_000
