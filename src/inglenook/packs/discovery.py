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


def _is_pack(entry: Path) -> bool:
    if entry.name.startswith((".", "__")) or entry.name.endswith(".disabled"):
        return False
    try:
        return (entry / "__init__.py").is_file() if entry.is_dir() else entry.suffix == ".py"
    except OSError:
        return False
