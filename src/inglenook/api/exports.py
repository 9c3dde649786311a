"""Archives that editors have asked for: which files, under a name that nobody guesses, for an hour.

Nothing is written to the disk: an archive is made while it is sent, as often as it is fetched.
"""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_MOST = 100
_KEPT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Export:
    """An archive that can be fetched."""

    id: str
    name: str
    """Of the archive; whoever knows it may fetch it, since a browser follows a link without saying for whom."""
    user: str | None
    files: tuple[tuple[str, Path], ...]
    """Name in the archive and place of each file."""
    wanted: int
    """How many things were asked for."""
    failed: int
    """Those that are not there."""
    size_bytes: int
    made_s: float


class Exports:
    """The newest archives, by id and by name."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._by_id: OrderedDict[str, Export] = OrderedDict()

    def add(
        self, user: str | None, files: list[tuple[str, Path]], *, wanted: int, failed: int, size_bytes: int
    ) -> Export:
        """Keep an archive; the oldest one is forgotten."""
        name = f"inglenook-{uuid.uuid4().hex}.zip"
        export = Export(str(uuid.uuid4()), name, user, tuple(files), wanted, failed, size_bytes, self._clock())
        self._by_id[export.id] = export
        while len(self._by_id) > _MOST:
            self._by_id.popitem(last=False)
        return export

    def get(self, export_id: str) -> Export | None:
        """The archive of that id."""
        return self._fresh(self._by_id.get(export_id))

    def named(self, name: str) -> Export | None:
        """The archive of that name."""
        return self._fresh(next((export for export in self._by_id.values() if export.name == name), None))

    def _fresh(self, export: Export | None) -> Export | None:
        return export if export is not None and self._clock() - export.made_s < _KEPT_S else None
