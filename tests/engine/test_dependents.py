"""Which outputs depend on a broken node, against the plain definition."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from inglenook.engine.graph import Graph
from inglenook.engine.validation import validate
from tests.engine.toys import catalog, document, node

DOCUMENTS = {
    "Good": document(optional=dict.fromkeys("abc", "*"), output=["*"], output_node=True),
    "Bad": document({"missing": "*"}, optional=dict.fromkeys("abc", "*"), output=["*"], output_node=True),
}


@st.composite
def graphs(draw: st.DrawFn, *, cyclic: bool) -> dict[str, Any]:
    size = draw(st.integers(1, 9))
    graph = {}
    for index in range(size):
        last = size - 1 if cyclic else index - 1
        names = draw(st.lists(st.sampled_from("abc"), unique=True)) if last >= 0 else []
        inputs = {name: [str(draw(st.integers(0, last))), 0] for name in names}
        graph[str(index)] = node(draw(st.sampled_from(["Good", "Good", "Bad"])), **inputs)
    return graph


def ancestors(graph: dict[str, Any], start: str) -> set[str]:
    found, stack = {start}, [start]
    while stack:
        for source, _ in graph[stack.pop()]["inputs"].values():
            if source not in found:
                found.add(source)
                stack.append(source)
    return found


@given(graphs(cyclic=False) | graphs(cyclic=True))
def test_each_broken_node_lists_the_failed_outputs_above_it(graph: dict[str, Any]) -> None:
    result = validate(Graph.parse(graph), catalog(DOCUMENTS))
    failed = [node_id for node_id in graph if node_id not in result.outputs]
    for broken, entry in result.node_errors.items():
        assert entry["dependent_outputs"] == [root for root in failed if broken in ancestors(graph, root)]
    broken_nodes = set(result.node_errors)
    assert set(result.outputs) == {root for root in graph if not ancestors(graph, root) & broken_nodes}
