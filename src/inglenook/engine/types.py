"""Which output may be linked to which input, by their declared types."""

from __future__ import annotations

from typing import Any

ANY = "*"
MATCH_TYPE = "COMFY_MATCHTYPE_V3"


class WildType(str):
    """The name of a type whose Python object says of itself that it differs from nothing."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __ne__(self, other: object) -> bool:
        return False


def is_compatible(received: Any, wanted: Any) -> bool:
    """Whether an output of type `received` may feed an input of type `wanted`.

    A type is a name, a comma-separated union of names, or the tuple of choices of a combo. `*`, alone or in a union, on
    either side matches everything, as does a match type; a combo's choices match the name `COMBO`. Python's `!=` of the
    declared objects is asked first, so that names of a str subclass which never differs are wildcards.
    """
    if not received != wanted:  # noqa: SIM202 - a str subclass may override `!=` alone
        return True
    if not isinstance(received, str) or not isinstance(wanted, str):
        if wanted == "COMBO" and isinstance(received, (list, tuple)):
            return True
        return any(isinstance(kind, str) and _is_wild(kind) for kind in (received, wanted))
    if received in (ANY, MATCH_TYPE) or wanted in (ANY, MATCH_TYPE):
        return True
    if "," not in received and "," not in wanted:
        return False
    given, taken = _names(received), _names(wanted)
    return bool(given & taken) or not {ANY, MATCH_TYPE}.isdisjoint(given | taken)


def _is_wild(kind: str) -> bool:
    return not {ANY, MATCH_TYPE}.isdisjoint(_names(kind))


def _names(union: str) -> set[str]:
    return {name.strip() for name in union.split(",")}
