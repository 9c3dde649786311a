"""Texts that the editor changes when it submits: tokens in file names, choices and comments in prompts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from random import Random

TOKEN_CLASSES = frozenset(
    {
        "SaveImage", "SaveAnimatedWEBP", "SaveAnimatedPNG", "SaveWEBM", "SaveVideo", "SaveAudio", "SaveAudioMP3",
        "SaveAudioOpus", "SaveSVGNode", "SaveGLB", "SaveLatent", "CLIPSave", "VAESave", "ModelSave", "LoraSave",
    }
)  # fmt: skip
"""Classes whose `filename_prefix` may hold tokens."""

_TOKEN = re.compile(r"%([^%]+)%")
_DATE_PART = re.compile(r"yyyy|yy|MM|M|dd|d|hh|h|mm|m|ss|s")
_UNSAFE = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_MOST_TOKENS = 1000
_DEEPEST_CHOICE = 50


def expand_tokens(text: str, now: datetime, widget_value: Callable[[str, str], object]) -> str:
    """Replace `%date:yyyy-MM-dd%` and `%Node.widget%`; whatever else stands between percent signs stays.

    widget_value: (name of a node, name of a widget) -> its value, or None when there is none.
    """

    def replaced(match: re.Match[str]) -> str:
        inner = match.group(1)
        if inner.startswith("date:"):
            return _DATE_PART.sub(lambda part: _date_part(part.group(), now), inner[5:])
        name, dot, widget = inner.partition(".")
        value = widget_value(name, widget) if dot else None
        return match.group() if value is None else _UNSAFE.sub("_", _as_text(value))

    return _TOKEN.sub(replaced, text, count=_MOST_TOKENS)


def _date_part(pattern: str, now: datetime) -> str:
    number = {"y": now.year, "M": now.month, "d": now.day, "h": now.hour, "m": now.minute, "s": now.second}[pattern[0]]
    if pattern == "yyyy":
        return f"{number:04}"
    if pattern == "yy":
        return f"{number % 100:02}"
    return f"{number:02}" if len(pattern) == 2 else str(number)


def _as_text(value: object) -> str:
    """A widget's value as the editor writes it: 1 for 1.0, true for True."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def expand_choices(text: str, random: Random) -> str:
    """Remove comments, then choose from each `{a|b|{c|d}}`.

    A backslash keeps `{`, `|`, `}` as they are and goes. Braces that do not match stay.
    """
    if "/" in text:
        text = _COMMENT.sub("", text)
    if "{" not in text and "\\" not in text:
        return text
    return _Choices(text, random).result()


class _Choices:
    """Reads a text once, keeping the alternatives of each open brace; no recursion.

    What is chosen is copied once for each brace around it, hence the limit of their depth.
    """

    def __init__(self, text: str, random: Random) -> None:
        self._text = text
        self._random = random
        self._open: list[list[list[str]]] = []
        """For each open brace its alternatives, each a list of pieces."""
        self._pieces: list[str] = []
        self._too_deep = 0
        """Braces open beyond the limit, which stay in the text."""

    def result(self) -> str:
        position = 0
        while position < len(self._text):
            position = self._step(position)
        for alternatives in self._open:  # braces that were never closed
            self._pieces.append("{" + "|".join("".join(pieces) for pieces in alternatives))
        return "".join(self._pieces)

    def _put(self, text: str) -> None:
        (self._open[-1][-1] if self._open else self._pieces).append(text)

    def _step(self, position: int) -> int:
        character = self._text[position]
        if character == "\\" and self._text[position + 1 : position + 2] in ("{", "}", "|"):
            self._put(self._text[position + 1])
            return position + 2
        if character == "{" and len(self._open) < _DEEPEST_CHOICE:
            self._open.append([[]])
        elif character in "{}" and (character == "{" or self._too_deep):
            self._too_deep += 1 if character == "{" else -1
            self._put(character)
        elif character == "}" and self._open:
            self._put("".join(self._random.choice(self._open.pop())))
        elif character == "|" and self._open:
            self._open[-1].append([])
        else:
            self._put(character)
        return position + 1
