"""What was changed in a workflow so that it runs, as clients are told it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inglenook.engine.graph import Graph
from inglenook.engine.values import echo


@dataclass(frozen=True, slots=True)
class Repair:
    """One change."""

    node_id: str
    kind: str
    """Machine-readable, `seed_drawn` for example."""
    message: str
    before: Any = None
    after: Any = None

    def to_json(self) -> dict[str, Any]:
        """`{node_id, kind, message, before, after}`; long values are cut."""
        return {
            "node_id": self.node_id,
            "kind": self.kind,
            "message": self.message,
            "before": echo(self.before),
            "after": echo(self.after),
        }


def seed_drawn(name: str, seed: int) -> tuple[str, str]:
    """Kind and message of a seed that was drawn in place of -1."""
    return "seed_drawn", f"{name} -1 stands for a random one: {seed} was drawn"


@dataclass(frozen=True, slots=True)
class Repaired:
    """A graph and what was changed in it."""

    graph: Graph
    repairs: tuple[Repair, ...] = ()
