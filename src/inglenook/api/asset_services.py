"""Builds the asset library of a server and keeps it up to date: jobs that end, and a scan at the start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from inglenook.assets import AssetLibrary, OutputRecorder, Scanner
from inglenook.dispatch.bus import Bus
from inglenook.dispatch.run import Run
from inglenook.engine.events import AnyEvent
from inglenook.jobs import JobStore
from inglenook.media.folders import Folders
from inglenook.settings import Settings

Tell = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class AssetServices:
    """What the asset library of a server is made of."""

    library: AssetLibrary
    recorder: OutputRecorder
    scanner: Scanner


@asynccontextmanager
async def open_assets(
    settings: Settings, store: JobStore, folders: Folders, bus: Bus, tell: Tell
) -> AsyncIterator[AssetServices]:
    """Open the library and begin to scan the folders, unless that is switched off.

    tell: sends an event to the editors that are connected.
    """
    library = AssetLibrary(store, folders, hashes_files=settings.enable_asset_hashing)
    forgetting = library.forget_root_soon("temp")  # the folder is emptied at start

    def tell_new(number: int) -> None:
        tell("assets.seed.completed", {"phase": "fast", "roots": ["output"], "created": number})

    recorder, scanner = OutputRecorder(library, tell_new), Scanner(library, tell)
    listener = _JobsThatEnd(recorder)
    bus.join(listener)
    recording = asyncio.create_task(recorder.run())
    if settings.autoscan_assets:
        scanner.start()
    try:
        yield AssetServices(library, recorder, scanner)
    finally:
        bus.leave(listener)
        await scanner.close()
        for task in (forgetting, recording):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await recorder.settle()


class _JobsThatEnd:
    """Hears of the bus only what jobs have written."""

    def __init__(self, recorder: OutputRecorder) -> None:
        self._recorder = recorder

    def run_left(self, run: Run) -> None:
        """Take note of what a run has written."""
        if run.result is not None:
            self._recorder.job_ended(run.job.id, run.job.user, run.result.outputs)

    def run_events(self, run: Run, events: Sequence[AnyEvent]) -> None:
        """Nothing: outputs are taken at the end."""

    def run_retried(self, run: Run, reason: str) -> None:
        """Nothing."""

    def runs_cancelled(self, runs: Sequence[Run]) -> None:
        """Nothing."""

    def queue_changed(self, remaining: int, run: Run | None) -> None:
        """Nothing."""

    def notice(self, name: str, data: Any, client_id: str | None) -> None:
        """Nothing."""
