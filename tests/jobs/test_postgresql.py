"""What PostgreSQL does otherwise than SQLite: skipped without INGLENOOK_TEST_POSTGRESQL (`tests/databases.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url, text

from inglenook.jobs import (
    Added,
    Existing,
    Job,
    JobFilter,
    JobId,
    JobResult,
    JobStore,
    JobStoreError,
    JobStoreUnusable,
    State,
    database,
    writer,
)
from inglenook.jobs.schema import MIGRATIONS
from inglenook.jobs.tables import metadata
from tests.databases import POSTGRESQL, administration, new_database

pytestmark = pytest.mark.skipif(POSTGRESQL is None, reason="INGLENOOK_TEST_POSTGRESQL names no server")

MakeJob = Callable[..., Job]
MakeResult = Callable[..., JobResult]

REVISIONS = ["0001", "0002", "0003", "0004", "0005", "0006", "0007"]


@pytest.fixture
def pg_url(tmp_path: Path) -> Iterator[str]:
    with new_database("postgresql", tmp_path) as url:
        yield url


def differences(url: str) -> list[Any]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    return found


def indexes(url: str) -> list[tuple[str, str]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"))
        found = sorted((row[0], row[1]) for row in rows if not row[0].startswith("alembic_version"))
    engine.dispose()
    return found


async def test_a_new_database_has_the_tables_of_the_metadata(pg_url: str) -> None:
    async with JobStore.open(pg_url):
        pass
    assert differences(pg_url) == []


@pytest.mark.parametrize("revision", REVISIONS)
async def test_jobs_of_every_older_version_are_kept(pg_url: str, tmp_path: Path, revision: str) -> None:
    engine = create_engine(pg_url)
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        command.upgrade(config, revision)
        for sequence, (id, state, end_order, in_history) in enumerate(
            [("ended", "succeeded", 0, True), ("waits", "queued", None, False), ("removed", "cancelled", 1, False)]
        ):
            values = {"s": sequence, "id": id, "state": state, "end": end_order, "h": in_history}
            connection.execute(
                text(
                    "INSERT INTO jobs (sequence, id, state, priority, number, number_is_int, fingerprint, workflow_id,"
                    " created_ms, started_ms, ended_ms, duration_ms, attempt, server_deaths, worker_deaths, end_order,"
                    " in_history) VALUES (:s, :id, :state, 0, :s, true, 'f', 'w', :s, 1, 2, 1, 1, 0, 0, :end, :h)"
                ),
                values,
            )
            connection.execute(text("INSERT INTO job_body VALUES (:s, '{}', '{}', '[]')"), values)
        connection.execute(
            text("INSERT INTO job_result (sequence, outputs, meta, messages) VALUES (0, '{}', '{}', '[]')")
        )
    engine.dispose()
    async with JobStore.open(pg_url) as store:
        assert [job.id for job in await store.recover()] == ["waits"]
        assert [entry.job.id for entry in await store.history()] == ["ended"]
        assert await store.next_number() == 3
        assert (await store.list_jobs(JobFilter(workflow_id="w"))).total == 3
    assert differences(pg_url) == []
    with new_database("postgresql", tmp_path) as fresh:
        async with JobStore.open(fresh):
            pass
        assert indexes(pg_url) == indexes(fresh)


async def test_a_second_server_on_the_database_is_refused(pg_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_LOCK_TIMEOUT_S", 0.2)
    async with JobStore.open(pg_url):
        with pytest.raises(JobStoreUnusable, match="another inglenook server uses it"):
            await JobStore.open(pg_url).start()
    async with JobStore.open(pg_url):
        pass


async def test_an_idle_store_keeps_others_out_when_it_had_to_connect_again(
    pg_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "WATCH_EVERY_S", 0.05)
    monkeypatch.setattr(database, "_LOCK_TIMEOUT_S", 0.2)
    async with JobStore.open(pg_url) as store:
        again, loop = asyncio.Event(), asyncio.get_running_loop()
        thread = store._writer._thread
        real = thread._connect_again

        def connect_again(patience_s: float) -> None:
            real(patience_s)
            loop.call_soon_threadsafe(again.set)

        monkeypatch.setattr(thread, "_connect_again", connect_again)
        cut_connections(pg_url)
        async with asyncio.timeout(60):
            await again.wait()
        with pytest.raises(JobStoreUnusable, match="another inglenook server uses it"):
            await JobStore.open(pg_url).start()


def cut_connections(url: str) -> None:
    """What a restart of the server is to its clients."""
    with administration() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
            {"name": make_url(url).database},
        )


async def test_writes_and_questions_find_the_database_again(
    pg_url: str, make_job: MakeJob, make_result: MakeResult
) -> None:
    async with JobStore.open(pg_url) as store:
        await store.add(make_job("a"))
        assert (await store.list_jobs()).total == 1
        for index in range(3):
            cut_connections(pg_url)
            added = [store.add(make_job(f"b{index}{number}")) for number in range(5)]
            assert all(isinstance(outcome, Added) for outcome in await asyncio.gather(*added))
            assert isinstance(await store.add(make_job("a")), Existing)
            assert await store.claim(JobId(f"b{index}0"), "cpu", 1)
            cut_connections(pg_url)
            assert await store.finish(JobId(f"b{index}0"), 1, make_result())
            cut_connections(pg_url)
            assert (await store.list_jobs()).total == 1 + 5 * (index + 1)
            assert store.counts[State.succeeded] == index + 1


async def test_a_commit_whose_answer_was_lost_is_not_made_twice(
    pg_url: str, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with JobStore.open(pg_url) as store:
        connection = store._writer._thread._connection
        real = connection.dialect.do_commit

        def commit_and_lose(driver: Any) -> None:
            real(driver)
            monkeypatch.undo()
            cut_connections(pg_url)
            driver.cursor().execute("SELECT 1")

        monkeypatch.setattr(connection.dialect, "do_commit", commit_and_lose)
        outcomes = await asyncio.gather(store.add(make_job("a")), store.add(make_job("b")))
        assert [type(outcome) for outcome in outcomes] == [Added, Added]
        assert store.counts[State.queued] == 2


async def test_a_job_that_was_refused_is_not_kept_although_its_commit_went_through(
    pg_url: str, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = make_url(pg_url).database
    async with JobStore.open(pg_url) as store:
        connection = store._writer._thread._connection
        real = connection.dialect.do_commit

        def commit_and_lose(driver: Any) -> None:
            real(driver)
            monkeypatch.undo()
            monkeypatch.setattr(writer, "RECONNECT_S", 0)
            with administration() as administrator:
                administrator.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            cut_connections(pg_url)
            driver.cursor().execute("SELECT 1")

        monkeypatch.setattr(connection.dialect, "do_commit", commit_and_lose)
        refused = await asyncio.gather(
            store.add(make_job("a")), store.add_all([make_job("b"), make_job("c")]), return_exceptions=True
        )
        assert [isinstance(outcome, JobStoreError) for outcome in refused] == [True, True]
        with administration() as administrator:
            administrator.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert isinstance(await store.add(make_job("d")), Added)
        assert [job.id for job in await store.recover()] == ["d"]
        assert isinstance(await store.add(make_job("a")), Added)
        assert store.counts[State.queued] == 2
        assert (await store.list_jobs(JobFilter(with_removed=False))).total == 2


async def test_without_its_server_a_store_refuses_and_later_goes_on(
    pg_url: str, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RECONNECT_S", 0.1)
    name = make_url(pg_url).database
    async with JobStore.open(pg_url) as store:
        await store.add(make_job("a"))
        with administration() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        cut_connections(pg_url)
        refused = await asyncio.gather(*(store.add(make_job(id)) for id in "bcd"), return_exceptions=True)
        assert [isinstance(outcome, JobStoreError) for outcome in refused] == [True] * 3
        with pytest.raises(JobStoreError):
            await store.get(JobId("a"))
        with administration() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert isinstance(await store.add(make_job("b")), Added)
        assert [job.id for job in await store.recover()] == ["a", "b"]
