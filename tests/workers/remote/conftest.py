from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from inglenook.media.folders import Folders
from inglenook.settings import Settings
from inglenook.workers.remote import RemoteJournal, RemoteWorker
from tests.workers.remote.listening import Listener


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
