"""What a server finds wrong with a graph, in one text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inglenook.engine.values import shorten
from inglenook.workers.remote.errors import JobRefused

_MOST_FAULTS = 5


def refusal_text(refused: JobRefused) -> str:
    """The server's message and the first faults of nodes."""
    faults = [text for node, about in refused.node_errors.items() for text in _faults(str(node), about)]
    more = f" (and {len(faults) - _MOST_FAULTS} more)" if len(faults) > _MOST_FAULTS else ""
    return "; ".join([shorten(str(refused), 500), *faults[:_MOST_FAULTS]]) + more


def _faults(node: str, about: Any) -> Iterator[str]:
    if not isinstance(about, dict):
        return
    errors = about.get("errors")
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict):
            class_type = shorten(about.get("class_type", ""), 100)
            message, details = shorten(error.get("message", "")), shorten(error.get("details", ""))
            yield f"node {shorten(node, 60)} ({class_type}): {message}" + (f": {details}" if details else "")
