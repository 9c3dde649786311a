"""The classes of several workers as one catalog.

A class that several have is shown as the first of them has it, with the choices of all: a job goes only where the ones
that it makes are there (`pool.Member.has_all`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Documents = Mapping[str, Any]


def union(several: Sequence[Documents]) -> Documents:
    """All classes; those of earlier documents are preferred. What is not shared is not copied."""
    distinct: list[Documents] = []
    for documents in several:
        if not any(documents is one or documents == one for one in distinct):
            distinct.append(documents)
    if len(distinct) < 2:
        return distinct[0] if distinct else {}
    together: dict[str, Any] = {}
    for documents in distinct:
        for name, document in documents.items():
            known = together.get(name)
            together[name] = document if known is None else _with_choices(known, document)
    return together


def _with_choices(first: Any, second: Any) -> Any:
    """A document with the choices of another one of the same class."""
    if first == second or not isinstance(first, Mapping) or not isinstance(second, Mapping):
        return first
    changed: dict[str, dict[str, Any]] = {}
    for section in ("required", "optional"):
        ours, theirs = _inputs(first, section), _inputs(second, section)
        for name, declared in ours.items():
            other = theirs.get(name)
            if other is None or other == declared:
                continue
            merged = _merged(declared, other)
            if merged is not None:
                changed.setdefault(section, {})[name] = merged
    if not changed:
        return first
    inputs = {**first["input"]}
    for section, specs in changed.items():
        inputs[section] = {**inputs[section], **specs}
    return {**first, "input": inputs}


def _inputs(document: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    inputs = document.get("input")
    specs = inputs.get(section) if isinstance(inputs, Mapping) else None
    return specs if isinstance(specs, Mapping) else {}


def _merged(declared: Any, other: Any) -> Any:
    """An input with the choices of both; None where it stays as it is."""
    mine, theirs = _choices(declared), _choices(other)
    if mine is None or theirs is None:
        return None
    choices = _together(mine, theirs)
    if choices is None:
        return None
    if declared[0] == "COMBO":
        return ["COMBO", {**declared[1], "options": choices}, *declared[2:]]
    return [choices, *declared[1:]]


def _choices(declared: Any) -> Any:
    """The list of choices in `[type, options]`, or what declares it (see `schema.ChoiceSource`)."""
    if not isinstance(declared, (list, tuple)) or not declared:
        return None
    kind = declared[0]
    if kind == "COMBO":
        options = declared[1] if len(declared) > 1 else None
        kind = options.get("options") if isinstance(options, Mapping) else None
    return kind if isinstance(kind, (list, tuple, Mapping)) else None


def _together(mine: Any, theirs: Any) -> Any:
    if isinstance(mine, Mapping):
        if "input" in mine:  # the same for all: input files are brought along
            return None
        extra = list(mine.get("extra", ()))
        known = {item for item in extra if isinstance(item, str)}
        more = theirs.get("extra", ()) if isinstance(theirs, Mapping) else theirs
        added = [item for item in more if isinstance(item, str) and item not in known]
        return {**mine, "extra": [*extra, *added]} if added else None
    if isinstance(theirs, Mapping):
        return {**theirs, "extra": [*(item for item in mine if isinstance(item, str)), *theirs.get("extra", ())]}
    known_values = [item for item in mine if isinstance(item, (str, int, float))]
    shown: set[Any] = set(known_values)
    more_values: list[Any] = [item for item in theirs if isinstance(item, (str, int, float)) and item not in shown]
    return [*mine, *more_values] if more_values else None
