"""Nodes that wait for each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inglenook.engine.values import shorten
from inglenook.errors import NodeError


class DependencyCycleError(NodeError):
    """Nodes depend on themselves; expansions can make that happen while a graph runs."""

    def __init__(self, cycle: Sequence[tuple[str, str]]) -> None:
        shown = [f"{shorten(node_id, 60)} ({class_type})" for node_id, class_type in cycle[:20]]
        if len(cycle) > len(shown):
            shown.append("...")
        super().__init__(f"Dependency cycle detected: {' -> '.join([*shown, shown[0]])}")
        self.cycle = tuple(node_id for node_id, _ in cycle)


DependencyCycleError.__module__ = "graph"  # the name that clients know: graph.DependencyCycleError


def find_cycle(consumers: Mapping[str, Sequence[str]]) -> list[str]:
    """The ids of a cycle, each depending on the next, given who waits for whom (source -> consumers).

    Every node that waits must wait for another one that waits, as is the case when nothing is ready.
    """
    source_of = {consumer: source for source, waiting in consumers.items() for consumer in waiting}
    position: dict[str, int] = {}
    path: list[str] = []
    node_id = next(iter(source_of))
    while node_id not in position:
        position[node_id] = len(path)
        path.append(node_id)
        node_id = source_of[node_id]
    return path[position[node_id] :]
