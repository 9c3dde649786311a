"""Whether a value fits a parameter, and the value that it then is: `"5"` is a whole number, 5.5 is none."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.values import shorten, well_formed
from inglenook.media.content_hashes import is_hash
from inglenook.workflows import aliases
from inglenook.workflows.parameter import Parameter

_MOST_CHOICES = 20
_LONGEST_COMPARED = 200
_MOST_COMPARED = 2_000
_LARGEST_SEED = 2**53 - 1
"""Larger numbers are not exact where JSON is read as JavaScript does."""
_TRUE, _FALSE = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})
_LONGEST_NUMBER = 40


class Unfit(Exception):
    """A value that does not fit."""

    def __init__(self, reason: str, choices: Sequence[Any] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.choices = list(choices)


def check(parameter: Parameter, value: Any, catalog: Catalog, random: Random) -> Any:
    """The value as the parameter takes it. Raises Unfit."""
    if parameter.role == "seed" and _is_minus_one(value):
        return draw_seed(parameter, random)
    if parameter.media is not None:
        return _file(parameter, value, catalog)
    return _CHECKS.get(parameter.type, _anything)(parameter, value)


def draw_seed(parameter: Parameter, random: Random) -> int:
    """A seed in the range of its input."""
    low = max(0, int(parameter.minimum or 0))
    high = _LARGEST_SEED if parameter.maximum is None else min(int(parameter.maximum), _LARGEST_SEED)
    return random.randint(low, max(low, high))


def _is_minus_one(value: Any) -> bool:
    return type(value) in (int, float, str) and str(value).strip() in ("-1", "-1.0")


def _integer(parameter: Parameter, value: Any) -> int:
    number = value
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        try:
            number = int(value)
        except ValueError:
            number = _float(value)
    if isinstance(number, float) and math.isfinite(number) and number.is_integer():
        number = int(number)
    if type(number) is not int:
        raise Unfit(f"{_shown(value)} is not a whole number")
    if not -(2**63) <= number < 2**64:
        raise Unfit(f"{_shown(value)} does not fit in 64 bits")
    _in_range(parameter, number)
    return number


def _real(parameter: Parameter, value: Any) -> float:
    number = _float(value) if isinstance(value, str) and len(value) <= _LONGEST_NUMBER else value
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise Unfit(f"{_shown(value)} is not a number")
    if isinstance(number, int) and not -(2**63) <= number < 2**64:
        raise Unfit(f"{_shown(value)} does not fit in 64 bits")
    if not math.isfinite(number):
        raise Unfit(f"{number} is not a number that can be used")
    _in_range(parameter, number)
    return number


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _in_range(parameter: Parameter, number: float) -> None:
    low, high = parameter.minimum, parameter.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        if low is not None and high is not None:
            bounds = f"from {low} to {high}"
        else:
            bounds = f"at least {low}" if high is None else f"at most {high}"
        raise Unfit(f"{_shown(number)} is out of range: it must be {bounds}")


def _boolean(_: Parameter, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if type(value) in (int, str):
        text = str(value).strip().lower() if isinstance(value, str) or value in (0, 1) else ""
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
    raise Unfit(f"{_shown(value)} is neither true nor false", (True, False))


def _text(_: Parameter, value: Any) -> str:
    if isinstance(value, str):
        return well_formed(value)
    if type(value) is int and -(2**63) <= value < 2**64:
        return str(value)
    if type(value) is float and math.isfinite(value):
        return str(value)
    raise Unfit(f"{_shown(value)} is not a text")


def _choice(parameter: Parameter, value: Any) -> Any:
    options = parameter.options
    if isinstance(value, (list, dict)) or (isinstance(value, float) and not math.isfinite(value)):
        raise Unfit(f"{_shown(value)} is not one of the options", (options or ())[:_MOST_CHOICES])
    if options is None or value == parameter.default:  # its own value may name a file that is gone; validation tells
        return well_formed(value) if isinstance(value, str) else value
    for option in options:
        if option == value and isinstance(option, bool) == isinstance(value, bool):
            return option
    folded = str(value).strip().casefold()
    same = [option for option in options if str(option).casefold() == folded]
    if len(same) == 1:
        return same[0]
    alias = _alias(parameter, value)
    if alias is not None:
        return alias
    raise Unfit(f"{_shown(value)} is not one of the options", _near(folded, options))


def _alias(parameter: Parameter, value: Any) -> str | None:
    """The sampler or scheduler that another program calls so."""
    names = [option for option in parameter.options or () if isinstance(option, str)]
    if not isinstance(value, str):
        return None
    if parameter.role == "sampler":
        found = aliases.sampler_of(value, names, ())
        return None if found is None else found[0]
    return aliases.scheduler_of(value, names, None) if parameter.role == "scheduler" else None


def _near(folded: str, options: Sequence[Any]) -> list[Any]:
    if len(options) <= _MOST_CHOICES:
        return list(options)
    if len(folded) > _LONGEST_COMPARED:
        return list(options[:_MOST_CHOICES])
    by_text = {str(option).casefold(): option for option in options[:_MOST_COMPARED]}
    near = difflib.get_close_matches(folded, by_text, n=5, cutoff=0.4)
    return [by_text[text] for text in near] or list(options[:_MOST_CHOICES])


def _file(parameter: Parameter, value: Any, catalog: Catalog) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Unfit(f"{_shown(value)} is not the name of a file")
    if is_hash(value):  # of an asset, which only who submits the workflow can find
        return value
    if value != parameter.default and not catalog.file_exists(value, parameter.media or ""):
        raise Unfit(f"there is no file {_shown(value)} in the input folder; upload it first")
    return well_formed(value)


def _anything(_: Parameter, value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise Unfit(f"{value} is not a number that can be used")
    if type(value) is int and not -(2**63) <= value < 2**64:
        raise Unfit(f"{_shown(value)} does not fit in 64 bits")
    return value


def _shown(value: Any) -> str:
    return repr(shorten(value, 100)) if isinstance(value, str) else shorten(value, 100)


_CHECKS: Mapping[str, Callable[[Parameter, Any], Any]] = {
    "integer": _integer,
    "number": _real,
    "boolean": _boolean,
    "string": _text,
    "choice": _choice,
}
