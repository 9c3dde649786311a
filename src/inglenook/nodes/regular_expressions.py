"""Nodes that search texts by regular expression.

The `regex` package knows the patterns of Python's `re`, ends a search that takes too long and lets other threads run
meanwhile: a pattern comes from whoever submits the workflow, and `(a+)+b` could keep a device busy for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import regex

from inglenook.errors import NodeError
from inglenook.nodes.registry import node
from inglenook.nodes.text import check_length

SEARCH_S = 10.0
"""CPU time that one search may take."""
LONGEST_PATTERN = 10_000

_log = logging.getLogger(__name__)


@node("RegexMatch")
def match(string: str, regex_pattern: str, case_insensitive: bool, multiline: bool, dotall: bool) -> tuple[bool]:
    """Whether the pattern is found anywhere; not with a pattern that is none."""
    pattern = _pattern(regex_pattern, case_insensitive, multiline, dotall)
    try:
        return (pattern is not None and pattern.search(string, timeout=SEARCH_S) is not None,)
    except TimeoutError:
        raise _too_slow(regex_pattern) from None


@node("RegexExtract")
def extract(
    string: str,
    regex_pattern: str,
    mode: str,
    case_insensitive: bool,
    multiline: bool,
    dotall: bool,
    group_index: int,
) -> tuple[str]:
    """What was found, a line each: whole matches (of a pattern with groups: the first group) or the group of that
    index. Empty where nothing is found, there is no such group, or the pattern is none."""
    pattern = _pattern(regex_pattern, case_insensitive, multiline, dotall)
    if pattern is None:
        return ("",)
    try:
        found: Iterable[regex.Match[str]] = pattern.finditer(string, timeout=SEARCH_S)
        match mode:
            case "First Match":
                texts = (hit.group(0) for hit in _first(found))
            case "All Matches":
                texts = (hit.group(min(1, pattern.groups)) for hit in found)
            case "First Group":
                texts = (hit.group(group_index) for hit in _first(found) if group_index <= pattern.groups)
            case _:
                texts = (hit.group(group_index) for hit in found if 0 < pattern.groups >= group_index)
        return (_joined(texts),)
    except TimeoutError:
        raise _too_slow(regex_pattern) from None


@node("RegexReplace")
def replace(
    string: str,
    regex_pattern: str,
    replace: str,
    case_insensitive: bool = True,
    multiline: bool = False,
    dotall: bool = False,
    count: int = 0,
) -> tuple[str]:
    r"""The first `count` matches, or all with 0, replaced; `\1` and `\g<name>` stand for groups.

    Raises NodeError for a pattern or a replacement that is none, and for a search that takes too long.
    """
    length = len(string)

    def replacement(hit: regex.Match[str]) -> str:
        nonlocal length
        text = hit.expand(replace)
        length += len(text)
        check_length(length)
        return text

    try:
        pattern = _compiled(regex_pattern, case_insensitive, multiline, dotall)
        return (pattern.sub(replacement, string, count=count, timeout=SEARCH_S),)
    except regex.error as error:
        raise NodeError(f"regular expression {regex_pattern[:200]!r}: {error}") from error
    except IndexError as error:
        raise NodeError(f"replacement {replace[:200]!r}: {error}") from error
    except TimeoutError:
        raise _too_slow(regex_pattern) from None


def _first(found: Iterable[regex.Match[str]]) -> Iterable[regex.Match[str]]:
    for hit in found:
        yield hit
        return


def _joined(texts: Iterable[str | None]) -> str:
    """A group that took no part in its match counts as empty."""
    kept, length = [], 0
    for text in texts:
        kept.append(text or "")
        length += len(kept[-1]) + 1
        check_length(length)
    return "\n".join(kept)


def _pattern(text: str, case_insensitive: bool, multiline: bool, dotall: bool) -> regex.Pattern[str] | None:
    """None for a text that is no pattern: workflows go on then, as in ComfyUI, and the log says so."""
    try:
        return _compiled(text, case_insensitive, multiline, dotall)
    except regex.error as error:
        _log.warning("not a regular expression, finds nothing: %r: %s", text[:200], error)
        return None


def _compiled(text: str, case_insensitive: bool, multiline: bool, dotall: bool) -> regex.Pattern[str]:
    if len(text) > LONGEST_PATTERN:
        raise NodeError(f"a regular expression of {len(text)} characters; at most {LONGEST_PATTERN} are allowed")
    try:
        return regex.compile(text, _flags(case_insensitive, multiline, dotall))
    except RecursionError:
        raise NodeError(f"regular expression {text[:200]!r}: its parentheses are nested too deeply") from None


def _flags(case_insensitive: bool, multiline: bool, dotall: bool) -> int:
    chosen = (
        regex.VERSION0,
        case_insensitive and regex.IGNORECASE,
        multiline and regex.MULTILINE,
        dotall and regex.DOTALL,
    )
    return sum(int(flag) for flag in chosen)


def _too_slow(pattern: str) -> NodeError:
    return NodeError(f"regular expression {pattern[:200]!r} took more than {SEARCH_S:.0f} s and was stopped")
