"""Inputs that depend on what a node was given: growing lists, choices with inputs of their own, rows.

A dynamic input `images` stands for plain inputs with dotted names (`images.image0`), which the graph has.
`plain_inputs` says which ones those are; `nested` makes of their values the argument that the node function takes.

    kind           plain inputs                          argument
    Autogrow       images.image0, images.image1, ...     {"image0": ..., "image1": ...}
    DynamicCombo   mode, mode.width                      {"mode": "scale", "width": 512}
    DynamicSlot    slot, slot.x                          {"slot": ..., "x": ...}
    DynamicGroup   rows.0.field, rows.1.field            [{"field": ...}, {"field": ...}]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from inglenook.engine.schema import InputSpec, read_inputs

Specs = dict[str, InputSpec]


@dataclass(frozen=True, slots=True)
class PlainInputs:
    """The plain inputs of one node, by full name."""

    specs: Specs
    invalid: tuple[tuple[str, str], ...] = ()
    """(dynamic input, what is wrong with the names that were given)."""


def plain_inputs(declared: Mapping[str, InputSpec], given: Mapping[str, Any]) -> PlainInputs:
    """The plain inputs that `declared` stands for in a node with the inputs `given`."""
    specs: Specs = {}
    invalid: list[tuple[str, str]] = []
    waiting = list(declared.values())[::-1]
    while waiting:
        spec = waiting.pop()
        if not spec.is_dynamic:
            specs[spec.name] = spec
            continue
        try:
            waiting += _EXPANDERS[str(spec.type)](spec, given)[::-1]
        except ValueError as error:
            invalid.append((spec.name, str(error)))
    return PlainInputs(specs, tuple(invalid))


def _inner(spec: InputSpec, prefix: str, document: Any, *, required: bool = True) -> list[InputSpec]:
    """Specs of an `{"required": {...}, "optional": {...}}` object under `prefix`."""
    inner = read_inputs(document if isinstance(document, Mapping) else {})
    return [
        replace(item, name=f"{prefix}.{item.name}", section=item.section if required else "optional")
        for item in inner.values()
    ]


def _autogrow(spec: InputSpec, given: Mapping[str, Any]) -> list[InputSpec]:
    template = _mapping(spec.options.get("template"))
    inner = next(iter(read_inputs(_mapping(template.get("input"))).values()), None)
    if inner is None:
        return []
    names = template.get("names")
    prefix = str(template.get("prefix", ""))
    least = _count(template.get("min"), 0) if spec.required else 0
    if isinstance(names, (list, tuple)):
        wanted = [str(name) for name in names]
    else:
        indices = _indices(spec.name, prefix, given)
        most = _count(template.get("max"), 100)
        if indices and max(indices) >= most:
            raise ValueError(
                f"{spec.name}.{prefix}{max(indices)}: at most {most} inputs, {prefix}0 to {prefix}{most - 1}"
            )
        wanted = [f"{prefix}{index}" for index in sorted({*range(least), *indices})]
    return [
        replace(inner, name=name, section="required" if index < least else "optional")
        for index, last in enumerate(wanted)
        if (name := f"{spec.name}.{last}") in given or index < least
    ]


def _indices(name: str, prefix: str, given: Mapping[str, Any]) -> set[int]:
    """The numbers in names such as `images.image12`."""
    start = f"{name}.{prefix}"
    found = set()
    for key in given:
        number = key[len(start) :].split(".", 1)[0] if key.startswith(start) else ""
        if number.isascii() and number.isdigit() and len(number) < 7:
            found.add(int(number))
    return found


def _combo(spec: InputSpec, given: Mapping[str, Any]) -> list[InputSpec]:
    options = [option for option in spec.options.get("options", ()) if isinstance(option, Mapping) and "key" in option]
    keys = tuple(option["key"] for option in options)
    chosen = given.get(spec.name)
    own = replace(spec, type="COMBO", options={**spec.options, "options": keys})
    for option in options:
        if option["key"] == chosen:
            return [own, *_inner(spec, spec.name, option.get("inputs"))]
    return [own]


def _slot(spec: InputSpec, given: Mapping[str, Any]) -> list[InputSpec]:
    own = replace(spec, type=str(spec.options.get("slotType", "*")))
    return [own, *_inner(spec, spec.name, spec.options.get("inputs"))] if spec.name in given else [own]


def _group(spec: InputSpec, given: Mapping[str, Any]) -> list[InputSpec]:
    least = _count(spec.options.get("min"), 0) if spec.required else 0
    most = _count(spec.options.get("max"), 100)
    indices = _indices(spec.name, "", given)
    count = max((index + 1 for index in indices), default=0)
    if count > most:
        raise ValueError(f"{spec.name}.{count - 1}: at most {most} rows, 0 to {most - 1}")
    rows = range(max(count, least))
    return [item for row in rows for item in _inner(spec, f"{spec.name}.{row}", spec.options.get("template"))]


_EXPANDERS: dict[str, Callable[[InputSpec, Mapping[str, Any]], list[InputSpec]]] = {
    "COMFY_AUTOGROW_V3": _autogrow,
    "COMFY_DYNAMICCOMBO_V3": _combo,
    "COMFY_DYNAMICSLOT_V3": _slot,
    "COMFY_DYNAMICGROUP_V3": _group,
}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(value: Any, default: int) -> int:
    return value if isinstance(value, int) else default


def nested(
    declared: Mapping[str, InputSpec],
    given: Mapping[str, Any],
    arguments: Mapping[str, Any],
    mark: Callable[[str, Any], Any] = lambda _, value: value,
) -> dict[str, Any]:
    """The arguments of the node function, from the values of its plain inputs by full name.

    given: the node's inputs. mark: makes of each part of a dynamic input (full name, value) what stands in its place.
    A combo or slot that was not given is left out; a growing input or group is empty then.
    """
    result: dict[str, Any] = {}
    used: set[str] = set()
    for spec in declared.values():
        if spec.is_dynamic:
            value = _value(spec, given, arguments, mark, used)
            if value is not _ABSENT:
                result[spec.name] = value
    rest = {name: value for name, value in arguments.items() if name not in used}
    return {**rest, **result}


_ABSENT = object()


def _value(
    spec: InputSpec,
    given: Mapping[str, Any],
    arguments: Mapping[str, Any],
    mark: Callable[[str, Any], Any],
    used: set[str],
) -> Any:
    """The argument of one dynamic input. Recursion as deep as the class nests its declarations."""
    values: dict[str, Any] = {}
    for part in _EXPANDERS[str(spec.type)](spec, given):
        if part.is_dynamic:
            value = _value(part, given, arguments, mark, used)
        elif part.name in arguments:
            used.add(part.name)
            value = mark(part.name, arguments[part.name])
        else:
            continue
        if value is not _ABSENT:
            own = part.name == spec.name
            values[spec.name.rpartition(".")[2] if own else part.name[len(spec.name) + 1 :]] = value
    if spec.type == "COMFY_DYNAMICGROUP_V3":
        return _rows(values)
    return values if values or spec.type == "COMFY_AUTOGROW_V3" else _ABSENT


def _rows(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows: dict[int, dict[str, Any]] = {}
    for name, value in values.items():
        index, _, field = name.partition(".")
        rows.setdefault(int(index), {})[field] = value
    return [rows.get(index, {}) for index in range(max(rows, default=-1) + 1)]
