"""Nodes that hold a value."""

from __future__ import annotations

from inglenook.nodes.registry import node


@node("PrimitiveInt")
def integer(value: int) -> tuple[int]:
    return (value,)


@node("PrimitiveFloat")
def number(value: float) -> tuple[float]:
    return (value,)


@node("PrimitiveBoolean")
def boolean(value: bool) -> tuple[bool]:
    return (value,)


@node("PrimitiveString")
@node("PrimitiveStringMultiline")
def string(value: str) -> tuple[str]:
    return (value,)
