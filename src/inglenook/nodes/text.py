"""Nodes that work on texts, and the one that shows any value as a text."""

from __future__ import annotations

import json
from typing import Any

from inglenook.errors import NodeError
from inglenook.nodes.registry import node

LONGEST = 64 * 2**20
"""Characters that a text may have: a short graph of joins and replacements could fill the memory otherwise."""


@node("StringConcatenate")
def concatenate(string_a: str, string_b: str, delimiter: str) -> tuple[str]:
    check_length(len(string_a) + len(delimiter) + len(string_b))
    return (delimiter.join((string_a, string_b)),)


@node("StringSubstring")
def substring(string: str, start: int, end: int) -> tuple[str]:
    """Positions as in Python: negative ones count from the end."""
    return (string[start:end],)


@node("StringLength")
def length(string: str) -> tuple[int]:
    return (len(string),)


@node("CaseConverter")
def convert_case(string: str, mode: str) -> tuple[str]:
    match mode:
        case "UPPERCASE":
            return (string.upper(),)
        case "lowercase":
            return (string.lower(),)
        case "Capitalize":
            return (string.capitalize(),)
        case "Title Case":
            return (string.title(),)
    return (string,)


@node("StringTrim")
def trim(string: str, mode: str) -> tuple[str]:
    match mode:
        case "Left":
            return (string.lstrip(),)
        case "Right":
            return (string.rstrip(),)
    return (string.strip(),)


@node("StringReplace")
def replace(string: str, find: str, replace: str) -> tuple[str]:
    check_length(len(string) + string.count(find) * (len(replace) - len(find)))
    return (string.replace(find, replace),)


@node("StringContains")
def contains(string: str, substring: str, case_sensitive: bool) -> tuple[bool]:
    if not case_sensitive:
        string, substring = string.lower(), substring.lower()
    return (substring in string,)


@node("StringCompare")
def compare(string_a: str, string_b: str, mode: str, case_sensitive: bool) -> tuple[bool]:
    """Whether `string_a` is `string_b`, or begins or ends with it."""
    if not case_sensitive:
        string_a, string_b = string_a.lower(), string_b.lower()
    match mode:
        case "Starts With":
            return (string_a.startswith(string_b),)
        case "Ends With":
            return (string_a.endswith(string_b),)
    return (string_a == string_b,)


@node("PreviewAny")
def preview(source: Any = None) -> dict[str, Any]:
    """Texts and numbers as they are, what JSON can hold as JSON, and everything else as Python shows it."""
    if isinstance(source, str):
        text = source
    elif source is None or isinstance(source, int | float):
        text = str(source)
    else:
        try:
            text = json.dumps(source, indent=4)
        except (TypeError, ValueError, RecursionError):
            text = str(source)
    return {"ui": {"text": (text,)}}


def check_length(characters: int) -> None:
    """Raise NodeError for a text that would be longer than LONGEST."""
    if characters > LONGEST:
        raise NodeError(f"the text would have {characters} characters; at most {LONGEST} are allowed")
