"""Constants of a graph become values of the declared type, by ComfyUI's rules."""

from __future__ import annotations

import math
from typing import Any

CONVERTED_TYPES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN"})
"""Types whose constants are converted; others take any constant."""


def convert(kind: str, value: Any) -> Any:
    """`value` as `kind`: INT truncates and reads text, BOOLEAN is Python's truth (`"false"` is true).

    Raises TypeError, ValueError or OverflowError where Python's own conversion does, and ValueError for NaN.
    """
    match kind:
        case "INT":
            return value if type(value) is int else int(value)
        case "FLOAT":
            number = float(value)
            if math.isnan(number):
                raise ValueError("NaN is not a value that can be used or stored")
            return number
        case "STRING":
            return str(value)
        case _:
            return bool(value)


def storable(value: Any) -> str | None:
    """Why a converted number cannot be kept as JSON, or None when it can: infinities, integers over 64 bits."""
    if type(value) is int and not -(2**63) <= value < 2**64:
        return f"an integer of {value.bit_length()} bits does not fit in 64"
    if type(value) is float and math.isinf(value):
        return "infinity is not a value that can be used or stored"
    return None
