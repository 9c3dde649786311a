"""A store on a real file, and jobs to put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inglenook.jobs import Job, JobId, JobResult, JobStore, State
from tests.databases import KINDS, new_database


class Clock:
    """Milliseconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An empty SQLite database."""
    return f"sqlite:///{tmp_path / 'jobs.sqlite'}"


@pytest.fixture(params=KINDS)
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    with new_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
async def store(any_url: str, clock: Clock) -> AsyncIterator[JobStore]:
    async with JobStore.open(any_url, clock=clock) as store:
        yield store


@pytest.fixture
def make_job() -> Callable[..., Job]:
    return job


@pytest.fixture
def make_result() -> Callable[..., JobResult]:
    return result


def job(id: str, number: int | float = 0, **fields: Any) -> Job:
    values: dict[str, Any] = {
        "graph": b'{"1":{"class_type":"A","inputs":{}}}',
        "targets": ("1",),
        "fingerprint": "f",
        "created_ms": 1000,
    }
    return Job(id=JobId(id), number=number, **{**values, **fields})


def result(state: State = State.succeeded, ended_ms: int = 2000, **fields: Any) -> JobResult:
    return JobResult(state, ended_ms, **fields)
