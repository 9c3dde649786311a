"""Data that a node hands to the editor beside its outputs: names of files, and text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inglenook.packs.v3.options import FolderType, value_of


class SavedResult(dict[str, str]):
    """A file as clients name it: `filename`, `subfolder`, `type`."""

    def __init__(self, filename: str, subfolder: str, type: FolderType) -> None:
        super().__init__(filename=filename, subfolder=subfolder, type=value_of(type))

    @property
    def filename(self) -> str:
        return self["filename"]

    @property
    def subfolder(self) -> str:
        return self["subfolder"]

    @property
    def type(self) -> FolderType:
        return FolderType(self["type"])


class SavedImages:
    """Pictures; several in one file when `is_animated`."""

    def __init__(self, results: Sequence[SavedResult], is_animated: bool = False) -> None:
        self.results = list(results)
        self.is_animated = is_animated

    def as_dict(self) -> dict[str, Any]:
        return {"images": self.results, **({"animated": (True,)} if self.is_animated else {})}


class SavedAudios:
    """Sound files."""

    def __init__(self, results: Sequence[SavedResult]) -> None:
        self.results = list(results)

    def as_dict(self) -> dict[str, Any]:
        return {"audio": self.results}
