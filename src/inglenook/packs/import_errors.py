"""What is told of a pack that cannot be imported: in a line, from its own code on, and what a user can do."""

from __future__ import annotations

import itertools
import re
import shlex

from inglenook.engine.failure import exception_message, exception_name, exception_traceback
from inglenook.errors import InglenookError
from inglenook.packs import surface_finder
from inglenook.packs.discovery import Pack

_FILE_AT_END = re.compile(r" \([^()]*\)$")
_FRAMES_BEFORE_PACK = (
    '  File "inglenook/packs/importing.py"',
    '  File "inglenook/packs/exports.py"',
    '  File "<frozen importlib',
)


def reason(error: BaseException) -> str:
    """An exception in a line; those of inglenook say enough without their names."""
    text = exception_message(error).strip()
    if text and isinstance(error, InglenookError):
        return text
    if isinstance(error, ImportError) and not isinstance(error, ModuleNotFoundError) and _is_of_surface(error):
        text = _FILE_AT_END.sub("", text) + ": inglenook's has none (see docs/custom-nodes.md)"
    return f"{exception_name(error)}: {text}" if text else exception_name(error)


def traceback(error: BaseException) -> list[str]:
    """The frames from the pack's own code on."""
    lines = exception_traceback(error)
    return list(itertools.dropwhile(lambda line: line.startswith(_FRAMES_BEFORE_PACK), lines))


def hints(error: BaseException, pack: Pack) -> list[str]:
    """What a user can do about it."""
    if not isinstance(error, ModuleNotFoundError) or _is_of_surface(error):
        return []
    return [f"What it needs can be installed with: inglenook packs install {shlex.quote(str(pack.path))}"]


def _is_of_surface(error: ImportError) -> bool:
    return (error.name or "").split(".")[0] in surface_finder.NAMES
