"""What makes tests quick: one thread for torch, no flushing of databases, a small heap for the garbage collector, one
server for many."""

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

# Before torch is imported, and for child processes: pictures in tests are small, and threads that wait for each other
# take the processor from the servers under test.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Child processes compile our sources once, not each of a hundred for itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest

from inglenook.jobs import database
from tests.api.live import LiveServer

FLUSHES = database.SYNCHRONOUS
"""How the product's databases are flushed."""


ROOT = Path(__file__).parent
TOGETHER = tuple(ROOT / folder for folder in ("editor", "packs/popular", "packs/rules"))
"""Folders whose modules share servers."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share servers run in one process (`--dist loadgroup` of pytest-xdist)."""
    for item in items:
        group = next((folder for folder in TOGETHER if folder in item.path.parents), item.path)
        item.add_marker(pytest.mark.xdist_group(str(group.relative_to(ROOT))))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Escape what is no Unicode: a process of pytest-xdist cannot send a log with lone surrogates to the first one."""
    return _sendable((yield))


def _sendable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_sendable(key): _sendable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_sendable(part) for part in value)
    return value


def pytest_collection_finish() -> None:
    """Keep modules and collected tests out of every later collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _flush_no_databases() -> None:
    """Only a power cut would show the difference."""
    database.SYNCHRONOUS = "OFF"


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One real server for all tests that a plain one is enough for."""
    server = LiveServer(tmp_path_factory.mktemp("live")).start()
    yield server
    server.stop()


@pytest.fixture
def live(shared_server: LiveServer) -> LiveServer:
    """The shared server, with no job of the tests before left in its queue; each test uses ids of its own."""
    shared_server.until_idle()
    return shared_server


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Databases as the product has them."""
    monkeypatch.setattr(database, "SYNCHRONOUS", FLUSHES)
