"""Who else on the machine may read the database: nobody."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inglenook.jobs import DataFolderLock, Job, JobStore, sqlite_url

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes of files are those of POSIX")

MakeJob = Callable[..., Job]


@pytest.fixture(autouse=True)
def _usual_mask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


def modes(folder: Path) -> dict[str, str]:
    return {file.name: mode(file) for file in folder.iterdir()}


async def test_the_database_its_log_and_its_folder_are_for_their_owner_alone(tmp_path: Path, make_job: MakeJob) -> None:
    path = tmp_path / "folder" / "jobs.sqlite"
    async with JobStore.open(sqlite_url(path)) as store:
        await store.add(make_job("a"))
        assert (await store.list_jobs()).total == 1
        assert modes(path.parent) == {"jobs.sqlite": "0o600", "jobs.sqlite-wal": "0o600", "jobs.sqlite-shm": "0o600"}
    assert mode(path.parent) == "0o700"


@pytest.mark.parametrize(("before", "after"), [(0o644, "0o600"), (0o664, "0o600"), (0o640, "0o640")])
async def test_a_database_of_an_older_version_is_closed_to_others_unless_somebody_chose_its_mode(
    tmp_path: Path, make_job: MakeJob, before: int, after: str
) -> None:
    path = tmp_path / "jobs.sqlite"
    async with JobStore.open(sqlite_url(path)) as store:
        await store.add(make_job("a"))
    path.chmod(before)
    async with JobStore.open(sqlite_url(path)) as store:
        await store.add(make_job("b"))
        assert set(modes(tmp_path).values()) == {after}


def test_a_data_folder_is_made_for_its_owner_alone_and_one_that_is_there_stays(tmp_path: Path) -> None:
    with DataFolderLock(tmp_path / "made"):
        assert mode(tmp_path / "made") == "0o700"
    shared = tmp_path / "shared"
    shared.mkdir(0o755)
    with DataFolderLock(shared):
        assert mode(shared) == "0o755"
