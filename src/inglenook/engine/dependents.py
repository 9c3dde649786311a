"""Which roots depend on which nodes, for many of both at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from inglenook.engine.graph import Graph

BUDGET = 200_000
"""Most ids listed in full over all nodes; further nodes list only their first few roots."""
_SHORT = 20


def dependent_roots(
    graph: Graph, order: Sequence[str], roots: Sequence[str], nodes: Collection[str], *, cyclic: bool
) -> dict[str, list[str]]:
    """For each of `nodes` those of `roots` that depend on it (or are it), in the order of `roots`.

    order: the visited nodes as a depth-first search left them, sources before consumers. One bit per root is carried
    from consumers to sources, so that 20,000 nodes under 20,000 roots stay cheap; nodes with the same dependents share
    one list.
    """
    masks = {root: 1 << index for index, root in enumerate(roots)}
    for group in _groups(graph, order) if cyclic else ((node_id,) for node_id in reversed(order)):
        mask = 0
        for node_id in group:
            mask = _union(mask, masks.get(node_id, 0))
        if mask:
            for node_id in group:
                masks[node_id] = mask
                for link in graph.nodes[node_id].links():
                    masks[link.node_id] = _union(masks.get(link.node_id, 0), mask)
    return _lists(masks, roots, nodes)


def _union(first: int, second: int) -> int:
    """`first | second` without a new number where one will do."""
    return first | second if first and second and first is not second else first or second


def _groups(graph: Graph, order: Sequence[str]) -> Iterable[list[str]]:
    """The strongly connected components, consumers before sources (Kosaraju's algorithm, second pass)."""
    consumers: dict[str, list[str]] = {node_id: [] for node_id in order}
    for node_id in order:
        for link in graph.nodes[node_id].links():
            consumers[link.node_id].append(node_id)
    seen: set[str] = set()
    for start in reversed(order):
        if start in seen:
            continue
        seen.add(start)
        group, stack = [], [start]
        while stack:
            node_id = stack.pop()
            group.append(node_id)
            for consumer in consumers[node_id]:
                if consumer not in seen:
                    seen.add(consumer)
                    stack.append(consumer)
        yield group


def _lists(masks: dict[str, int], roots: Sequence[str], nodes: Collection[str]) -> dict[str, list[str]]:
    lists: dict[int, list[str]] = {}
    budget = BUDGET
    result = {}
    for node_id in nodes:
        mask = masks.get(node_id, 0)
        count = mask.bit_count()
        budget -= count
        if mask not in lists:
            lists[mask] = _members(mask, roots, count if budget >= 0 else min(count, _SHORT))
        result[node_id] = lists[mask] if budget >= 0 else lists[mask][:_SHORT]
    return result


def _members(mask: int, roots: Sequence[str], count: int) -> list[str]:
    """The first `count` of `roots` whose bit is set."""
    if count > _SHORT:
        return [roots[match.start()] for match in re.finditer("1", format(mask, "b")[::-1])]
    found = []
    for _ in range(count):
        lowest = mask & -mask
        found.append(roots[lowest.bit_length() - 1])
        mask ^= lowest
    return found
