"""What was changed in a workflow so that it runs, as clients are told it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
