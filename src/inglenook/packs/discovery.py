"""Which node packs there are: folders and single files in the `custom_nodes` folders. Imports nothing of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from inglenook.engine.values import well_formed


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack as it lies on the disk."""

    name: str
    """Name of its folder, or of its file without `.py`; what is no Unicode in it is replaced."""
    path: Path

    @classmethod
    def at(cls, path: Path) -> Pack:
        """The pack that this folder or file is."""
        return cls(well_formed(path.name if path.is_dir() else path.stem), path)

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
    `__init__.py`, and what may not be looked into (`lost+found`).
    """
    packs: dict[str, Pack] = {}
    for folder in folders:
        try:
            entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if _is_pack(entry):
                pack = Pack.at(entry)
                packs.setdefault(pack.name, pack)
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
    try:
        return (entry / "__init__.py").is_file() if entry.is_dir() else entry.suffix == ".py"
    except OSError:
        return False
