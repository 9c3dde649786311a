"""Which output may feed which input, by their types."""

from __future__ import annotations

from inglenook.engine.types import ANY, is_compatible

__all__ = ["validate_node_input"]


def validate_node_input(received_type: str, input_type: str, strict: bool = False) -> bool:
    """Whether an output of `received_type` may feed an input of `input_type`; strict: with all types of its union."""
    if not is_compatible(received_type, input_type):
        return False
    if not strict or ANY in (received_type, input_type):
        return True
    given, taken = ({name.strip() for name in union.split(",")} for union in (received_type, input_type))
    return given <= taken
