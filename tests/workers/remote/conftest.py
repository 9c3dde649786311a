from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inglenook.media.folders import Folders
from inglenook.settings import Settings
from inglenook.workers.remote import RemoteJournal, RemoteLimits, RemoteWorker
from tests.workers.remote.listening import Listener, is_ready
from tests.workers.remote.peer import RemotePeer

PATIENT = RemoteLimits(
    check_interval_s=0.2,
    lost_after_s=60,
    refused_after_s=0.3,
    request_s=60,
    catalog_s=60,
    catalog_interval_s=0.2,
    interrupt_grace_s=1,
    answer_bytes=1 << 20,
    message_bytes=1 << 20,
    file_bytes=1 << 20,
    job_files=20,
    job_output_bytes=1 << 20,
    transfer_s=60,
)
QUICK = replace(PATIENT, lost_after_s=3, request_s=2, catalog_s=2, transfer_s=2)
"""For servers that do not answer at all."""


@pytest.fixture
def front(tmp_path: Path) -> Folders:
    """The folders of the server in front."""
    folders = Folders.from_settings(Settings(base_directory=tmp_path / "front"))
    folders.create()
    return folders


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
async def make_worker(front: Folders, tmp_path: Path) -> AsyncIterator[Callable[..., RemoteWorker]]:
    made: list[RemoteWorker] = []
    journal = RemoteJournal(tmp_path / "data")

    def make(url: str, **options: Any) -> RemoteWorker:
        options = {"name": "there", "folders": front, "journal": journal} | options
        made.append(RemoteWorker(url=url, **options))
        return made[-1]

    yield make
    for worker in made:
        await worker.close()
    journal.close()


@pytest.fixture
async def peer() -> AsyncIterator[RemotePeer]:
    async with RemotePeer().serving() as peer:
        assert isinstance(peer, RemotePeer)
        yield peer


@pytest.fixture
def limits() -> RemoteLimits:
    """Of the worker; a busy machine keeps to them."""
    return PATIENT


@pytest.fixture
async def worker(
    peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener, limits: RemoteLimits
) -> RemoteWorker:
    made = make_worker(peer.url, slots=2, limits=limits)
    await made.start(listener)
    await is_ready(listener, made)
    return made
