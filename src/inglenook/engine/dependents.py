"""Which roots depend on which nodes, for many of both at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from inglenook.engine.graph import Graph

BUDGET = 200_000
"""Most ids listed in full over all nodes; further nodes list only their first few roots."""
_SHORT = 20


def dependent_roots(
    graph: Graph, order: Sequence[str], roots: Sequence[str], nodes: Collection[str], *, cyclic: bool
) -> dict[str, list[str]]:
    """For each of `nodes` those of `roots` that depend on it (or are it), in the order of `roots`.

    order: the visited nodes, sources before consumers. One bit per root is carried from consumers to sources, so that
    20,000 nodes under 20,000 roots stay cheap; nodes with the same dependents share one list.
    """
    masks = {root: 1 << index for index, root in enumerate(roots)}
    for _ in range(2 if cyclic else 1):
        for node_id in reversed(order):
            mask = masks.get(node_id)
            if mask is None:
                continue
            for link in graph.nodes[node_id].links():
                known = masks.get(link.node_id, 0)
                if known is not mask:
                    masks[link.node_id] = known | mask if known else mask
    lists: dict[int, list[str]] = {}
    budget = BUDGET
    result = {}
    for node_id in nodes:
        mask = masks.get(node_id, 0)
        found = lists.get(mask)
        if found is None:
            bits = re.finditer("1", format(mask, "b")[::-1])
            found = lists[mask] = [roots[match.start()] for match in bits]
        budget -= len(found)
        result[node_id] = found if budget >= 0 else found[:_SHORT]
    return result
