"""What became of a node pack, as `/system_stats`, `/extensions` and `inglenook packs` tell it."""

from __future__ import annotations

import msgspec


class PackReport(msgspec.Struct, frozen=True):
    """One pack after the attempt to import it."""

    name: str
    """Name of its folder, or of its file without `.py`."""
    path: str
    classes: list[str] = []
    """Node classes that it brought; those that a built-in class or a broken definition keeps out are left out."""
    import_seconds: float = 0.0
    error: str | None = None
    """Why it is not there, in a line: the exception, or that a process died of it."""
    traceback: list[str] = []
    warnings: list[str] = []
    """Node classes that were left out, and why."""
    web_directory: str | None = None
    """Absolute path of the scripts that it adds to the editor."""
    more_web_directories: dict[str, str] = {}
    """The same under names of the pack's own: what it added to `nodes.EXTENSION_WEB_DIRS`."""
