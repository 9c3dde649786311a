"""Looks through the folders: takes new files into the library, and marks assets whose file is gone."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from inglenook.assets.asset import Asset, Found, Place
from inglenook.assets.hashing import Cancelled
from inglenook.assets.library import AssetLibrary, hashed
from inglenook.errors import InglenookError
from inglenook.media import stored_files
from inglenook.media.kinds import content_type

logger = logging.getLogger(__name__)

ROOTS = ("models", "input", "output")
"""What a scan looks through; the temp folder is emptied at start and filled by jobs, which tell what they write."""

_AT_ONCE = 100
"""Files of one transaction, so that jobs that are accepted wait for some milliseconds at most."""
_MOST_ERRORS = 20
_NOT_MODELS = frozenset({"custom_nodes", "configs"})

State = Literal["IDLE", "RUNNING", "CANCELLING"]
Tell = Callable[[str, dict[str, Any]], None]


@dataclass(slots=True)
class Progress:
    """How far a scan is."""

    scanned: int = 0
    total: int = 0
    created: int = 0
    skipped: int = 0
    """Files that were known already."""
    missing: int = 0
    hashed: int = 0


@dataclass(slots=True)
class Scanner:
    """At most one scan at a time, as a task of its own. tell: name and data of an event for editors."""

    library: AssetLibrary
    tell: Tell
    state: State = "IDLE"
    progress: Progress | None = None
    errors: list[str] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None

    def start(self, roots: Sequence[str] = ROOTS) -> bool:
        """Begin a scan of these folders; False when one is under way."""
        if self.state != "IDLE":
            return False
        self.state, self.progress, self.errors = "RUNNING", Progress(), []
        self._task = asyncio.get_running_loop().create_task(self._run(tuple(dict.fromkeys(roots))))
        return True

    def cancel(self) -> bool:
        """End the scan after its next step; False when there is none."""
        if self.state == "IDLE":
            return False
        self.state = "CANCELLING"
        return True

    async def wait(self) -> None:
        """Until the scan has ended, if there is one."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def close(self) -> None:
        """End the scan now."""
        if self._task is not None:
            self.cancel()
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def prune(self, roots: Sequence[str] = ROOTS) -> int:
        """Mark the assets whose file is gone; how many were not marked before."""
        marked = 0
        for root in roots:
            marked += await self._mark_missing(root, lambda: None)
        if marked:
            self.tell("assets.seed.completed", {"phase": "full", "marked": marked})
        return marked

    async def _run(self, roots: Sequence[str]) -> None:
        progress = self.progress
        assert progress is not None
        try:
            self.tell("assets.seed.started", {"roots": list(roots)})
            files = await asyncio.to_thread(lambda: {root: self._list(root) for root in roots})
            progress.total = sum(map(len, files.values()))
            for root in roots:
                await self._register(files[root], progress)
                progress.missing += await self._mark_missing(root, self._check)
            self._told(progress, roots)
            if self.library.hashes_files:
                for root in roots:
                    await self._hash(root, progress)
        except (Cancelled, asyncio.CancelledError):
            self.tell("assets.seed.cancelled", {"scanned": progress.scanned, "total": progress.total})
        except Exception as error:
            logger.exception("the scan for assets has failed")
            self._note(str(error) if isinstance(error, InglenookError) else type(error).__name__)
            self.tell("assets.seed.error", {"message": self.errors[-1]})
        finally:
            self.state = "IDLE"

    def _told(self, progress: Progress, roots: Sequence[str]) -> None:
        if progress.created or progress.missing:
            logger.info("asset library: %d files are new, %d are gone", progress.created, progress.missing)
        data = {"phase": "fast", "roots": list(roots), "created": progress.created, "total": progress.total}
        self.tell("assets.seed.fast_complete", data)
        self.tell("assets.seed.completed", data)
        if progress.missing:
            self.tell("assets.seed.completed", {**data, "phase": "full"})

    def _check(self) -> None:
        if self.state == "CANCELLING":
            raise Cancelled

    def _note(self, error: str) -> None:
        if len(self.errors) < _MOST_ERRORS:
            self.errors.append(error)

    def _list(self, root: str) -> list[Found]:
        return list(self._models() if root == "models" else self._stored(root))

    def _stored(self, root: str) -> Iterator[Found]:
        for file in stored_files.walk(self.library.folders.directory(root)):
            self._check()
            yield Found(Place(root, file.path), file.size, file.modified_ns, content_type(file.name))

    def _models(self) -> Iterator[Found]:
        for folder in self.library.folders.models:
            if folder in _NOT_MODELS:
                continue
            for name in self.library.folders.list(folder):
                self._check()
                found = self.library.look_at(Place("models", f"{folder}/{name}"))
                if found is not None:
                    yield found

    async def _register(self, files: Sequence[Found], progress: Progress) -> None:
        for part in _parts(files):
            self._check()
            registered = await self.library.register(part)
            created = sum(answer.is_new for answer in registered)
            progress.scanned += len(part)
            progress.created += created
            progress.skipped += len(part) - created
            self.tell("assets.seed.progress", {"scanned": progress.scanned, "total": progress.total})

    async def _mark_missing(self, root: str, check: Callable[[], None]) -> int:
        marked = 0
        async for part in self._assets(root):
            check()
            gone = await asyncio.to_thread(self._gone, part)
            if gone:
                marked += await self.library.mark_missing(gone)
        return marked

    def _gone(self, part: Sequence[Asset]) -> list[str]:
        return [asset.id for asset in part if self.library.is_gone(asset)]

    async def _hash(self, root: str, progress: Progress) -> None:
        async for part in self._assets(root, without_hash=True):
            for asset in part:
                self._check()
                hashes = await asyncio.to_thread(self._hashes, asset)
                await self.library.set_hashes(hashes)
                progress.hashed += len(hashes)

    def _hashes(self, asset: Asset) -> Mapping[str, tuple[str, int]]:
        found = self.library.look_at(asset.place)
        if found is None:
            return {}
        content = hashed(self.library, found, lambda: self.state == "CANCELLING")
        return {} if content is None else {asset.id: (content, found.modified_ns)}

    async def _assets(self, root: str, *, without_hash: bool = False) -> AsyncIterator[list[Asset]]:
        last = ""
        while True:
            part = await self.library.behind(root, last, _AT_ONCE, without_hash=without_hash)
            if not part:
                return
            yield part
            last = part[-1].id


def _parts(files: Sequence[Found]) -> Iterator[list[Found]]:
    remaining = iter(files)
    while part := list(itertools.islice(remaining, _AT_ONCE)):
        yield part
