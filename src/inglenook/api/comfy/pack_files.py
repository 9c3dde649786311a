"""Files that node packs bring for the editor, beside their scripts: where to look, and reading them with care."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inglenook.api.comfy import extensions
from inglenook.api.deps import Services
from inglenook.errors import UnsafePath
from inglenook.media import paths

logger = logging.getLogger(__name__)

MAX_BYTES = 16 << 20
"""Largest file that is read: translations of a large pack have about a megabyte."""


@dataclass(frozen=True, slots=True)
class PackFile:
    """A file in one of its states, so that what is made of it can be kept as long as it stays so."""

    pack: str
    path: str
    modified_ns: int
    size: int

    def read(self) -> bytes | None:
        """The content; None, with a line in the log, when it cannot be read or is too large."""
        if self.size > MAX_BYTES:
            logger.warning("%s is left out: it is larger than %d MiB", self.path, MAX_BYTES >> 20)
            return None
        try:
            return Path(self.path).read_bytes()
        except OSError as error:
            logger.warning("%s is left out: %s", self.path, error)
            return None


def pack_folders(server: Services) -> dict[str, Path]:
    """The folders of the packs that were imported, by name; a pack in a single file has none."""
    usable = [report for report in extensions.reports(server) if report.error is None]
    return {report.name: Path(report.path) for report in usable if Path(report.path).is_dir()}


def files_in(pack: str, root: Path, folder: str, ending: str) -> Iterator[PackFile]:
    """The files right in a folder of a pack with this ending, by name; none that a link leads out to."""
    try:
        place = paths.resolve(root, folder)
        names = sorted(entry.name for entry in place.iterdir() if entry.name.lower().endswith(ending))
    except (OSError, UnsafePath):
        return
    for name in names:
        try:
            path = paths.resolve(root, folder, name)
            status = path.stat()
        except (OSError, UnsafePath):
            continue
        if path.is_file() and not name.startswith("."):
            yield PackFile(pack, str(path), status.st_mtime_ns, status.st_size)
