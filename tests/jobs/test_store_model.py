"""Random lives of jobs, with crashes, against a model: nothing accepted is lost, each job ends once, order is kept.

A crash is taken for real: the files are copied at any moment while writes are under way, as a SIGKILL would leave
them, and a new store is opened on the copy. It must hold some prefix of those writes, and all that had been answered.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from inglenook.jobs import (
    Added,
    Conflict,
    Existing,
    FinishedJob,
    Job,
    JobFilter,
    JobId,
    JobResult,
    JobStore,
    State,
)
from inglenook.jobs.upkeep import MAX_SERVER_DEATHS

NOW = 5000


@dataclass
class Model:
    """What a store should do, on plain dictionaries."""

    jobs: dict[str, Job] = field(default_factory=dict)
    history: list[FinishedJob] = field(default_factory=list)

    def add(self, job: Job) -> object:
        known = self.jobs.get(job.id)
        never_ran = known is not None and known.state == State.cancelled and job.id not in self.ids_in_history()
        if known is None or never_ran:
            self.jobs[job.id] = job
            return Added(job)
        return Existing(known) if known.fingerprint == job.fingerprint else Conflict(known)

    def ids_in_history(self) -> set[str]:
        return {entry.job.id for entry in self.history}

    def claim(self, id: JobId, attempt: int) -> bool:
        job = self.jobs.get(id)
        if job is None or job.state != State.queued or attempt <= job.attempt:
            return False
        self.jobs[id] = replace(job, state=State.running, attempt=attempt, worker="cpu", started_ms=NOW)
        return True

    def _is_running(self, id: JobId, attempt: int) -> bool:
        job = self.jobs.get(id)
        return job is not None and job.state == State.running and job.attempt == attempt

    def finish(self, id: JobId, attempt: int, result: JobResult) -> bool:
        if not self._is_running(id, attempt):
            return False
        job = replace(self.jobs[id], state=result.state, ended_ms=result.ended_ms)
        self.jobs[id] = job
        self.history.append(FinishedJob(job, result))
        return True

    def requeue(self, id: JobId, attempt: int, count: str) -> bool:
        if not self._is_running(id, attempt):
            return False
        job = self.jobs[id]
        self.jobs[id] = replace(
            job,
            state=State.queued,
            worker=None,
            started_ms=None,
            worker_deaths=job.worker_deaths + (count == "worker"),
            server_deaths=job.server_deaths + (count == "server"),
        )
        return True

    def queue(self) -> list[Job]:
        waiting = [job for job in self.jobs.values() if job.state == State.queued]
        return sorted(waiting, key=lambda job: (-job.priority, job.number))

    def cancel(self, ids: list[JobId] | None) -> list[str]:
        cancelled = [job for job in self.queue() if ids is None or job.id in ids]
        for job in cancelled:
            self.jobs[job.id] = replace(job, state=State.cancelled, ended_ms=NOW)
        return [job.id for job in cancelled]

    def delete(self, ids: list[JobId] | None) -> None:
        gone = {entry.job.id for entry in self.history if ids is None or entry.job.id in ids}
        self.history = [entry for entry in self.history if entry.job.id not in gone]
        self.jobs = {id: job for id, job in self.jobs.items() if id not in gone}

    def restart(self) -> None:
        for job in list(self.jobs.values()):
            if job.state != State.running:
                continue
            self.jobs[job.id] = replace(job, server_deaths=job.server_deaths + 1)
            if job.server_deaths >= MAX_SERVER_DEATHS:
                self.finish(job.id, job.attempt, lost(job))
            else:
                self.requeue(job.id, job.attempt, "none")


def lost(job: Job) -> JobResult:
    return JobResult(State.failed, NOW, error={"died": job.id})


ids = st.sampled_from([JobId(letter) for letter in "abcdef"])
attempts = st.integers(0, 4)
texts = st.text(max_size=5)
files = st.lists(st.just({"filename": "f", "subfolder": "", "type": "temp"}), max_size=2)
results = st.builds(
    JobResult,
    state=st.sampled_from([state for state in State if state.is_end]),
    ended_ms=st.integers(0, 10**13),
    outputs=st.dictionaries(texts, st.dictionaries(texts, files, max_size=2), max_size=2),
    messages=st.lists(st.tuples(texts, st.integers()).map(list), max_size=3),
    error=st.none() | st.dictionaries(texts, texts, max_size=2),
)
new_jobs = st.builds(
    Job,
    id=ids,
    number=st.integers(-3, 3) | st.floats(-3, 3),
    graph=st.sampled_from([b"{}", b'{"1":{"inputs":{"text":"' + b"long " * 2000 + b'"}}}']),
    targets=st.lists(texts, max_size=2).map(tuple),
    fingerprint=st.sampled_from(["one", "two"]),
    created_ms=st.integers(0, 10**13),
    extra_data=st.dictionaries(texts, st.none() | st.booleans() | st.integers() | texts, max_size=2),
    client_id=st.none() | texts,
    priority=st.integers(-1, 1),
    timeout_s=st.none() | st.floats(0, 1e6),
)
steps = (
    st.tuples(st.just("add"), new_jobs)
    | st.tuples(st.just("claim"), ids, attempts)
    | st.tuples(st.just("finish"), ids, attempts, results)
    | st.tuples(st.just("requeue"), ids, attempts, st.sampled_from(["none", "worker", "server"]))
    | st.tuples(st.just("cancel"), st.lists(ids) | st.none())
)


def submit(store: JobStore, step: tuple[Any, ...]) -> asyncio.Future[Any]:
    match step:
        case "add", job:
            return store.add(job)
        case "claim", id, attempt:
            return store.claim(id, "cpu", attempt)
        case "finish", id, attempt, result:
            return store.finish(id, attempt, result)
        case "requeue", id, attempt, count:
            return store.requeue(id, attempt, count=count)
        case "cancel", some:
            return store.cancel_queued(some)
    raise AssertionError(step)


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.generation = 0
        self.loop = asyncio.new_event_loop()
        self.model = Model()
        self.store = self.open()

    @property
    def path(self) -> Path:
        return self.folder / f"{self.generation}.sqlite"

    def open(self) -> JobStore:
        store = JobStore(f"sqlite:///{self.path}", clock=lambda: NOW)
        self.run(store.start())
        return store

    def run(self, work: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await work

        return self.loop.run_until_complete(awaited())

    def in_loop(self, function: Callable[[], Any]) -> Any:
        """Call what needs a running loop."""

        async def called() -> Any:
            return function()

        return self.loop.run_until_complete(called())

    @rule(batch=st.lists(steps, min_size=1, max_size=12))
    def write_together(self, batch: list[tuple[Any, ...]]) -> None:
        futures = self.in_loop(lambda: [submit(self.store, step) for step in batch])
        outcomes = [self.run(future) for future in futures]
        assert outcomes == [getattr(self.model, step[0])(*step[1:]) for step in batch]

    @rule(job=new_jobs, result=results)
    def run_one(self, job: Job, result: JobResult) -> None:
        attempt = self.model.jobs[job.id].attempt + 1 if job.id in self.model.jobs else 1
        batch = (("add", job), ("claim", job.id, attempt), ("finish", job.id, attempt, result))
        for step in batch:
            outcome = self.run(self.in_loop(lambda step=step: submit(self.store, step)))
            assert outcome == getattr(self.model, step[0])(*step[1:])

    @rule(some=st.lists(ids, max_size=3) | st.none())
    def delete_history(self, some: list[JobId] | None) -> None:
        self.run(self.store.clear_history() if some is None else self.store.delete_history(some))
        self.model.delete(some)

    @rule(batch=st.lists(steps, max_size=12), turns=st.integers(0, 5))
    def crash(self, batch: list[tuple[Any, ...]], turns: int) -> None:
        """Die with writes under way, at some moment after they were handed in."""

        async def hand_in_and_die() -> list[asyncio.Future[Any]]:
            futures = [submit(self.store, step) for step in batch]
            for _ in range(turns):
                await asyncio.sleep(0)
            answered = [future.done() for future in futures]
            copy_files(self.path, self.folder / f"{self.generation + 1}.sqlite")
            self.answered = answered.count(True)
            return futures

        futures = self.run(hand_in_and_die())
        for future in futures:
            self.run(future)
        self.run(self.store.close())
        self.generation += 1
        self.store = self.open()
        waiting = self.run(self.in_loop(lambda: self.store.recover(lost)))
        possible = list(self.prefixes(batch))[self.answered :]
        found = self.stored()
        matching = [model for model in possible if (model.jobs, model.history) == found]
        assert matching, (found, possible)
        self.model = matching[0]
        assert [job.id for job in waiting] == [job.id for job in self.model.queue()]
        assert waiting == self.model.queue()
        for state in State:
            self.listing_counts_what_the_model_holds_in(frozenset({state}))

    def prefixes(self, batch: list[tuple[Any, ...]]) -> list[Model]:
        models = [deepcopy(self.model)]
        for step in batch:
            model = deepcopy(models[-1])
            getattr(model, step[0])(*step[1:])
            models.append(model)
        for model in models:
            model.restart()
        return models

    def stored(self) -> tuple[dict[str, Job], list[FinishedJob]]:
        jobs = {id: self.run(self.store.get(JobId(id))) for id in "abcdef"}
        return {id: job for id, job in jobs.items() if job is not None}, self.run(self.store.history())

    @invariant()
    def store_holds_what_the_model_holds(self) -> None:
        assert self.stored() == (self.model.jobs, self.model.history)
        assert self.run(self.store.history_count()) == len(self.model.history)

    @rule(states=st.frozensets(st.sampled_from(State)))
    def list_jobs(self, states: frozenset[State]) -> None:
        self.listing_counts_what_the_model_holds_in(states)

    def listing_counts_what_the_model_holds_in(self, states: frozenset[State]) -> None:
        page = self.run(self.store.list_jobs(JobFilter(states=states)))
        expected = {job.id for job in self.model.jobs.values() if job.state in states}
        assert page.total == len(expected)
        assert {listed.job.id for listed in page.jobs} == expected

    def teardown(self) -> None:
        self.run(self.store.close())
        self.loop.close()
        shutil.rmtree(self.folder)


def copy_files(source: Path, target: Path) -> None:
    """Copy a database in use. The open transaction keeps the log from being reset between the two files."""
    reader = sqlite3.connect(source, isolation_level=None)
    try:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM jobs").fetchone()
        shutil.copyfile(source, target)
        shutil.copyfile(f"{source}-wal", f"{target}-wal")
    finally:
        reader.close()


StoreMachine.TestCase.settings = settings(
    max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestStoreModel = StoreMachine.TestCase
