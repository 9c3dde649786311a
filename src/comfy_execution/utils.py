"""Which node runs."""

from __future__ import annotations

from dataclasses import dataclass

from inglenook.engine import context

__all__ = ["ExecutionContext", "get_executing_context"]


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """A call of a node function."""

    prompt_id: str
    node_id: str
    list_index: int | None
    """Which call it is of a node that maps over lists."""


def get_executing_context() -> ExecutionContext | None:
    """The call that this thread or task serves, or None outside a run."""
    running = context.current()
    return None if running is None else ExecutionContext(running.job_id, running.node.node_id, running.call_index)
