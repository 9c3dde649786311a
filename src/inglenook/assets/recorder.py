"""Takes what jobs write into the library, soon after they end.

Files are gathered for a moment and written together, so that hundreds of short jobs a second cost few transactions.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inglenook.assets.asset import ROLES, Found, Place
from inglenook.assets.library import AssetLibrary, hashed
from inglenook.errors import UnsafePath
from inglenook.jobs import JobStoreError, result_files
from inglenook.media import paths

logger = logging.getLogger(__name__)

_GATHER_S = 0.3
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class _Written:
    """A file that a job names among its outputs."""

    place: Place
    job_id: str
    node_id: str
    owner: str


class OutputRecorder:
    """One per server; `job_ended` on the event loop."""

    def __init__(self, library: AssetLibrary, tell: Callable[[int], None]) -> None:
        """tell: called with the number of new assets, when there are some."""
        self._library = library
        self._tell = tell
        self._waiting: list[_Written] = []
        self._has_some = asyncio.Event()
        self._turn = asyncio.Lock()

    def job_ended(self, job_id: str, user: str | None, outputs: Mapping[str, Any]) -> None:
        """Take note of the files that a job has written."""
        for node_id, item in result_files(outputs):
            place = _place(item)
            if place is not None:
                self._waiting.append(_Written(place, job_id, node_id, user or ""))
        if self._waiting:
            self._has_some.set()

    async def run(self) -> None:
        """Write what was noted, now and then, until cancelled."""
        while True:
            await self._has_some.wait()
            await asyncio.sleep(_GATHER_S)
            await self.settle()

    async def settle(self) -> None:
        """Write what was noted by now."""
        self._has_some.clear()
        async with self._turn:
            while self._waiting:
                part, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                try:
                    await self._record(part)
                except JobStoreError as error:
                    logger.warning("%d results were not taken into the asset library: %s", len(part), error)

    async def _record(self, part: Sequence[_Written]) -> None:
        files = await asyncio.to_thread(lambda: list(self._look(part)))
        registered = await self._library.register(files) if files else []
        if new := sum(answer.is_new for answer in registered):
            self._tell(new)

    def _look(self, part: Sequence[_Written]) -> Iterator[Found]:
        for written in part:
            found = self._library.look_at(written.place)
            if found is None:
                continue
            yield replace(
                found,
                owner=written.owner,
                job_id=written.job_id,
                node_id=written.node_id,
                is_news=True,
                hash=hashed(self._library, found) if self._library.hashes_files else None,
            )


def _place(item: Mapping[str, Any]) -> Place | None:
    root, subfolder, name = item.get("type") or "output", item.get("subfolder") or "", item.get("filename")
    if root not in ROLES or root == "models" or not isinstance(subfolder, str) or not isinstance(name, str):
        return None
    with contextlib.suppress(UnsafePath):
        parts = (*paths.parts(subfolder), *paths.parts(name))
        if parts:
            return Place(root, "/".join(parts))
    return None
