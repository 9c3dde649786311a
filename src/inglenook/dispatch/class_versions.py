"""Two versions of a node class as one that takes what either takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inglenook.engine.convert import CONVERTED_TYPES
from inglenook.engine.schema import DYNAMIC_TYPES
from inglenook.engine.types import MATCH_TYPE

_OUTPUT_LISTS = ("output", "output_is_list", "output_name", "output_tooltips")


def joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first document with the inputs and outputs of both, where they differ in those; its `engine` then says so.

    What only one of them requires is optional.
    """
    ours, theirs = inputs_of(first, "required"), inputs_of(second, "required")
    our_optional, their_optional = inputs_of(first, "optional"), inputs_of(second, "optional")
    counts = _output_count(first), _output_count(second)
    same_names = ours.keys() == theirs.keys() and our_optional.keys() == their_optional.keys()
    if not isinstance(first.get("input"), Mapping) or (same_names and counts[0] == counts[1]):
        return first
    required = {name: spec for name, spec in ours.items() if name in theirs}
    optional: dict[str, Any] = {}
    for section in (ours, our_optional, theirs, their_optional):
        for name, spec in section.items():
            if name not in required:
                optional.setdefault(name, spec)
    engine = first.get("engine")
    changed: dict[str, Any] = {
        "input": {**first["input"], "required": required, "optional": optional},
        "engine": {**(engine if isinstance(engine, Mapping) else {}), "differs": True},
    }
    if isinstance(first.get("input_order"), Mapping):
        changed["input_order"] = {**first["input_order"], "required": [*required], "optional": [*optional]}
    if counts[1] > counts[0]:
        changed |= {key: _longer(first.get(key), second.get(key)) for key in _OUTPUT_LISTS if key in second}
    return {**first, **changed}


def inputs_of(document: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    """The declared inputs of a section; empty where there are none that can be read."""
    inputs = document.get("input")
    specs = inputs.get(section) if isinstance(inputs, Mapping) else None
    return specs if isinstance(specs, Mapping) else {}


def widened(declared: Any, other: Any) -> Any:
    """A number's input with the range of both; None where that is its own."""
    mine, theirs = _options(declared), _options(other)
    if mine is None or theirs is None or declared[0] != other[0] or declared[0] not in ("INT", "FLOAT"):
        return None
    options = dict(mine)
    for key, outer in (("min", min), ("max", max)):
        bounds = [one[key] for one in (mine, theirs) if isinstance(one.get(key), (int, float))]
        if len(bounds) == 2:
            options[key] = outer(bounds)
        else:
            options.pop(key, None)
    return None if options == mine else [declared[0], options, *declared[2:]]


def with_types(declared: Any, other: Any) -> Any:
    """An input for links with the types of both; None where those are its own."""
    if not (_has_options(declared) and _has_options(other)) or declared[0] == other[0]:
        return None
    names = [name.strip() for one in (declared, other) if isinstance(one[0], str) for name in one[0].split(",")]
    if not (isinstance(declared[0], str) and isinstance(other[0], str)) or any(map(_is_no_link, names)):
        return None
    return [",".join(dict.fromkeys(names)), *declared[1:]]


def _is_no_link(name: str) -> bool:
    """Whether a type has values that clients type in, or stands for several inputs."""
    return name in CONVERTED_TYPES or name in DYNAMIC_TYPES or name in ("COMBO", MATCH_TYPE, "")


def _has_options(declared: Any) -> bool:
    return _options(declared) is not None


def _options(declared: Any) -> Mapping[str, Any] | None:
    if not isinstance(declared, (list, tuple)) or not declared:
        return None
    options = declared[1] if len(declared) > 1 else {}
    return options if isinstance(options, Mapping) else None


def _output_count(document: Mapping[str, Any]) -> int:
    output = document.get("output")
    return len(output) if isinstance(output, (list, tuple)) else 0


def _longer(mine: Any, more: Any) -> Any:
    if not isinstance(mine, (list, tuple)) or not isinstance(more, (list, tuple)):
        return mine if isinstance(mine, (list, tuple)) else more
    return [*mine, *more[len(mine) :]]
