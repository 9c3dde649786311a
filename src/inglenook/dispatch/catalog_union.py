"""The classes of several workers as one catalog.

A class that several have is shown as the first of them has it, with the inputs, ranges and choices of all: a job goes
only where the ones that it uses are there (`pool.Member.has_all`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inglenook.dispatch.class_versions import inputs_of, joined, widened, with_types

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
            together[name] = document if known is None else _together(known, document)
    return together


def _together(first: Any, second: Any) -> Any:
    """A document that takes what it or another one of the same class takes."""
    if first == second or not isinstance(first, Mapping) or not isinstance(second, Mapping):
        return first
    return _with_values(joined(first, second), second)


def _with_values(first: Mapping[str, Any], second: Mapping[str, Any]) -> Mapping[str, Any]:
    """A document with the choices and ranges of another one, too."""
    changed: dict[str, dict[str, Any]] = {}
    theirs = {**inputs_of(second, "required"), **inputs_of(second, "optional")}
    for section in ("required", "optional"):
        for name, declared in inputs_of(first, section).items():
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


def _merged(declared: Any, other: Any) -> Any:
    """An input with the choices, the range or the types of both; None where it stays as it is."""
    mine, theirs = _choices(declared), _choices(other)
    if mine is None or theirs is None:
        return widened(declared, other) or with_types(declared, other)
    choices = _all_choices(mine, theirs)
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


def _all_choices(mine: Any, theirs: Any) -> Any:
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
