"""Databases of this version, of an older one, of a newer one, and of something else."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from inglenook.jobs import Added, Job, JobFilter, JobId, JobResult, JobStore, JobStoreUnusable, sqlite_url
from inglenook.jobs.schema import MIGRATIONS
from inglenook.jobs.tables import REVISION, metadata


def schema(path: Path) -> list[tuple[str, ...]]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT type, name FROM sqlite_master ORDER BY 1, 2").fetchall()
        columns = [
            (name, *map(str, column))
            for kind, name in rows
            if kind == "table"
            for column in connection.execute(f"PRAGMA table_info({name})")
        ]
    connection.close()
    return rows + columns


def test_packaged_revision_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


async def test_migrations_lead_to_the_tables_of_a_new_database(tmp_path: Path, make_job: Callable[..., Job]) -> None:
    async with JobStore.open(f"sqlite:///{tmp_path}/new.sqlite"):
        pass
    old = tmp_path / "old.sqlite"
    with sqlite3.connect(old) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY NOT NULL)")
    connection.close()
    async with JobStore.open(f"sqlite:///{old}") as store:
        assert isinstance(await store.add(make_job("a", 5)), Added)
        assert await store.next_number() == 6
    assert schema(old) == schema(tmp_path / "new.sqlite")
    engine = create_engine(f"sqlite:///{old}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


async def test_jobs_are_there_when_the_store_is_opened_again(
    url: str, make_job: Callable[..., Job], make_result: Callable[..., JobResult]
) -> None:
    async with JobStore.open(url) as store:
        await store.add(make_job("a"))
        await store.claim(JobId("a"), "cpu", 1)
        await store.finish(JobId("a"), 1, make_result())
        await store.add(make_job("b", extra_data={"x": 1}))
    async with JobStore.open(url) as store:
        assert await store.recover() == [make_job("b", extra_data={"x": 1})]
        assert [entry.job.id for entry in await store.history()] == ["a"]
        await store.claim(JobId("b"), "cpu", 1)
        await store.finish(JobId("b"), 1, make_result())
        assert [entry.job.id for entry in await store.history()] == ["a", "b"]


async def test_database_of_a_newer_version_is_left_alone(url: str, tmp_path: Path) -> None:
    async with JobStore.open(url):
        pass
    path = tmp_path / "jobs.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = schema(path)
    with pytest.raises(JobStoreUnusable, match=r"newer inglenook.*9999.*upgrade inglenook"):
        await JobStore.open(url).start()
    assert schema(path) == before


async def test_tables_of_another_program_are_left_alone(url: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jobs.sqlite") as connection:
        connection.execute("CREATE TABLE jobs (mine TEXT)")
    connection.close()
    with pytest.raises(JobStoreUnusable, match="jobs were made by another program"):
        await JobStore.open(url).start()


@pytest.mark.parametrize("content", [b"no database\n" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
async def test_damaged_file_is_named(url: str, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "jobs.sqlite"
    path.write_bytes(content)
    with pytest.raises(JobStoreUnusable, match=r"jobs\.sqlite") as caught:
        await JobStore.open(url).start()
    assert "move it away" in str(caught.value)
    assert path.read_bytes() == content


async def test_truncated_file_is_named(url: str, tmp_path: Path, make_job: Callable[..., Job]) -> None:
    async with JobStore.open(url) as store:
        for number in range(200):
            await store.add(make_job(str(number), number, graph=b"{" + b" " * 3000 + b"}"))
    path = tmp_path / "jobs.sqlite"
    path.write_bytes(path.read_bytes()[:10_000])
    with pytest.raises(JobStoreUnusable, match=r"jobs\.sqlite"):
        await JobStore.open(url).start()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_store_in_memory_is_refused(url: str) -> None:
    with pytest.raises(JobStoreUnusable, match="not durable"):
        JobStore.open(url)


@pytest.mark.parametrize("url", ["no url", "", "nosuchdb://host/name"])
async def test_url_that_names_no_database_is_refused(url: str) -> None:
    with pytest.raises(JobStoreUnusable, match="sqlite"):
        await JobStore.open(url).start()


async def test_file_with_any_name_is_found_again(tmp_path: Path, make_job: Callable[..., Job]) -> None:
    path = tmp_path / "what? 100%20 #雪 & more.sqlite"
    async with JobStore.open(sqlite_url(path)) as store:
        await store.add(make_job("a"))
    assert path.exists()
    async with JobStore.open(sqlite_url(path)) as store:
        assert await store.get(JobId("a")) == make_job("a")


async def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JobStoreUnusable, match="file/folder"):
        await JobStore.open(f"sqlite:///{tmp_path}/file/folder/jobs.sqlite").start()


def test_opening_a_new_store_imports_neither_alembic_nor_torch(url: str) -> None:
    code = f"""
import asyncio, sys
from inglenook.jobs import JobStore
async def main():
    async with JobStore.open({url!r}) as store:
        await store.recover()
asyncio.run(main())
heavy = {{"alembic", "torch", "fastapi", "sqlalchemy.orm", "sqlalchemy.dialects.postgresql"}}
print(sorted(heavy & set(sys.modules)))
"""
    source = str(Path(__file__).parents[2] / "src")
    output = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": source}, capture_output=True, check=True)
    assert output.stdout == b"[]\n"


async def test_jobs_of_an_older_version_are_kept(tmp_path: Path) -> None:
    """A database as version 0001 left it: a job that ended, one that waits, one that never ran."""
    path = tmp_path / "jobs.sqlite"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        command.upgrade(config, "0001")
        for sequence, (id, state, end_order, in_history) in enumerate(
            [("ended", "succeeded", 0, True), ("waits", "queued", None, False), ("removed", "cancelled", 1, False)]
        ):
            values = {"s": sequence, "id": id, "state": state, "end": end_order, "h": in_history}
            connection.execute(
                text(
                    "INSERT INTO jobs (sequence, id, state, priority, number, number_is_int, fingerprint, workflow_id,"
                    " created_ms, started_ms, ended_ms, duration_ms, attempt, server_deaths, worker_deaths, end_order,"
                    " in_history) VALUES (:s, :id, :state, 0, :s, 1, 'f', 'w', :s, 1, 2, 1, 1, 0, 0, :end, :h)"
                ),
                values,
            )
            connection.execute(text("INSERT INTO job_body VALUES (:s, x'7b7d', x'7b7d', x'5b5d')"), values)
        connection.execute(text("INSERT INTO job_result VALUES (0, x'7b7d', x'7b7d', x'5b5d', NULL)"))
    engine.dispose()
    async with JobStore.open(f"sqlite:///{path}") as store:
        assert [job.id for job in await store.recover()] == ["waits"]
        assert [entry.job.id for entry in await store.history()] == ["ended"]
        page = await store.list_jobs(JobFilter(workflow_id="w", with_removed=False))
        assert [listed.job.id for listed in page.jobs] == ["waits", "ended"]
        everything = await store.list_jobs()
        assert everything.total == 3
