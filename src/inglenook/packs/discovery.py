"""Which node packs there are: folders and single files in the `custom_nodes` folders. Imports nothing of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack as it lies on the disk."""

    name: str
    """Name of its folder, or of its file without `.py`."""
    path: Path

    @property
    def is_package(self) -> bool:
        return self.path.is_dir()

    @property
    def folder(self) -> Path:
        """The folder that its module lies in."""
        return self.path if self.is_package else self.path.parent


def find_packs(folders: Iterable[Path]) -> list[Pack]:
    """The packs in `custom_nodes` folders, by folder, then by name; of two with one name the first.

    Skipped: what ends with `.disabled`, hidden entries, `__pycache__`, files that are not `.py`, folders without
    `__init__.py`.
    """
    packs: dict[str, Pack] = {}
    for folder in folders:
        try:
            entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if _is_pack(entry):
                name = entry.name if entry.is_dir() else entry.stem
                packs.setdefault(name, Pack(name, entry))
    return list(packs.values())


def folders_without_module(folders: Iterable[Path]) -> list[Path]:
    """Folders beside the packs that hold Python files but no `__init__.py`: what was unpacked one level too deep."""
    entries = [entry for folder in folders if folder.is_dir() for entry in sorted(folder.iterdir())]
    return [
        entry
        for entry in entries
        if entry.is_dir() and _may_be_pack(entry.name) and not _is_pack(entry) and any(entry.glob("**/*.py"))
    ]


def _may_be_pack(name: str) -> bool:
    return not (name.startswith((".", "__")) or name.endswith(".disabled"))


def _is_pack(entry: Path) -> bool:
    if not _may_be_pack(entry.name):
        return False
    return (entry / "__init__.py").is_file() if entry.is_dir() else entry.suffix == ".py"
