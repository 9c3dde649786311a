"""Names of stored workflows: file names that users see."""

from __future__ import annotations

import unicodedata

from inglenook.workflows.errors import WorkflowFormatError

LONGEST_NAME = 200
SUFFIX = ".json"
_FORBIDDEN = frozenset('/\\:*?"<>|')
"""What some file system takes for more than a letter: a workflow that is downloaded keeps its name."""
_MEDIA_SUFFIXES = frozenset(
    (".png", ".webp", ".jpg", ".jpeg", ".avif", ".gif", ".mp4", ".webm", ".mkv", ".mov", ".m4v", ".mp3", ".flac",
     ".ogg", ".opus", ".wav", ".m4a")
)  # fmt: skip


class WorkflowNameError(WorkflowFormatError):
    """A name that no workflow can be stored under."""


def workflow_name(text: str) -> str:
    """The name that a workflow is stored under: as given, in composed form (NFC), with `.json` at its end.

    That of a picture, a video or a sound that carries a workflow is its name with the other extension.
    Raises WorkflowNameError for paths, control characters, and names that are empty or too long.
    """
    if len(text) > 4 * LONGEST_NAME:
        raise WorkflowNameError(f"The name has more than {LONGEST_NAME} characters")
    name = unicodedata.normalize("NFC", text).strip(" ")
    stem, dot, suffix = name.rpartition(".")
    if dot and f".{suffix.lower()}" in (SUFFIX, *_MEDIA_SUFFIXES):
        name = stem.rstrip(" ")
    problem = _problem(name)
    if problem:
        raise WorkflowNameError(f"{text[:100]!r} is no name for a workflow: {problem}")
    return name + SUFFIX


def _problem(stem: str) -> str:
    if not stem:
        return "it is empty"
    if stem.startswith("."):
        return "it begins with a dot"
    if len(stem) + len(SUFFIX) > LONGEST_NAME:
        return f"it has more than {LONGEST_NAME} characters"
    if found := sorted(_FORBIDDEN & set(stem)):
        return f"it contains {found[0]}"
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in _DIRECTIONS for letter in stem):
        return "it contains control characters"
    return ""


_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""Characters that nobody sees, but that turn other letters around."""
