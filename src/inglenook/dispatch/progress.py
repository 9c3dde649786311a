"""How far a run is, in the share of its nodes that are done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from inglenook.dispatch.run import Run


@dataclass(frozen=True, slots=True)
class Plan:
    """The nodes that a job needs."""

    nodes: frozenset[str]
    names: Mapping[str, tuple[str, str]]
    """Node id -> class and title, of every node of the graph."""


def plan_of(graph: bytes, targets: Iterable[str]) -> Plan:
    """Read what a job needs; takes milliseconds where a graph has thousands of nodes."""
    document = orjson.loads(graph)
    names = {node_id: (str(node.get("class_type", "")), _title(node)) for node_id, node in document.items()}
    return Plan(frozenset(_needed(document, targets)), names)


def nodes_to_run(graph: bytes, targets: Iterable[str]) -> set[str]:
    """Ids of the nodes that the targets need, themselves included."""
    return _needed(orjson.loads(graph), targets)


def percent(run: Run, plan: Plan) -> float:
    """0 to 99.9: a run is at 100 when it has ended."""
    done = plan.nodes & run.finished
    if run.cached is not None:
        done |= plan.nodes.intersection(run.cached.nodes)
    share = 0.0
    if run.current is not None and run.progress is not None and run.progress.node.node_id == run.current.node_id:
        value, total = run.progress.value, run.progress.total
        share = min(max(value / total, 0.0), 1.0) if total > 0 else 0.0
    return min(round(100 * (len(done) + share) / max(len(plan.nodes), 1), 1), 99.9)


def _needed(nodes: Mapping[str, Any], targets: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = [target for target in targets if target in nodes]
    while waiting:
        node_id = waiting.pop()
        if node_id in found:
            continue
        found.add(node_id)
        for value in nodes[node_id].get("inputs", {}).values():
            if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and value[0] in nodes:
                waiting.append(value[0])
    return found


def _title(node: Mapping[str, Any]) -> str:
    meta = node.get("_meta")
    title = meta.get("title") if isinstance(meta, Mapping) else None
    return title if isinstance(title, str) and title else str(node.get("class_type", ""))
