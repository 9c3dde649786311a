"""What a node function returned, in whichever form, as outputs, ui data and an expansion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inglenook.engine.blocker import SILENT, ExecutionBlocker
from inglenook.engine.values import shorten
from inglenook.errors import NodeError


@dataclass(frozen=True, slots=True)
class Returned:
    """One call's result."""

    outputs: Sequence[Any]
    ui: Mapping[str, Any] | None = None
    expand: Mapping[str, Any] | None = None


class UnusableResult(NodeError, TypeError):
    """A node function returned something that holds no outputs."""


def read_returned(value: Any, class_type: str, output_count: int) -> Returned:
    """Outputs from a tuple, a dict with any of `ui`, `result` and `expand`, an ExecutionBlocker, or nothing.

    Raises UnusableResult for anything else.
    """
    kind = type(value)
    if kind is tuple or kind is list:
        return Returned(value)
    if isinstance(value, ExecutionBlocker):
        return Returned((value,) * output_count)
    if isinstance(value, Mapping):
        ui, expand = value.get("ui"), value.get("expand")
        result = value.get("result")
        outputs = () if result is None else read_returned(result, class_type, output_count).outputs
        if ui is not None and not isinstance(ui, Mapping):
            raise UnusableResult(f"{class_type} returned ui data that is no dict: {shorten(ui)}")
        if expand is not None and not isinstance(expand, Mapping):
            raise UnusableResult(f"{class_type} returned an expansion that is no graph: {shorten(expand)}")
        return Returned(outputs, ui or None, expand)
    if isinstance(value, (tuple, list)):
        return Returned(value)
    if value is None and output_count == 0:
        return Returned(())
    raise UnusableResult(
        f"{class_type} returned {shorten(value, 80)} ({kind.__qualname__}); expected a tuple of {output_count} outputs"
    )


def blocked(output_count: int) -> Returned:
    """The result of a call that was skipped."""
    return Returned((SILENT,) * output_count)
