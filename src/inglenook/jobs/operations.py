"""The writes of the job store, in a form that runs many of them in one transaction.

Each kind of operation on one job is executed for all jobs of a batch at once. That is optimistic: when one of them does
not fit (a late attempt, a value that the database refuses), the whole batch raises, is rolled back, and is split
until the odd one stands alone (`writer.py`); alone it gets its own answer.

Operations on different jobs may change places, those on one job keep their order. `Alone` changes places with nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Insert, Update, and_, bindparam, insert, or_, select, update

from inglenook.jobs import outbox
from inglenook.jobs.codec import pack
from inglenook.jobs.job import Added, AddOutcome, Conflict, Existing, Job, JobId, State
from inglenook.jobs.ledger import Ledger
from inglenook.jobs.queries import select_job
from inglenook.jobs.rows import NO_ERRAND, job_from_row
from inglenook.jobs.tables import job_body, job_result, jobs, outputs
from inglenook.jobs.webhooks import Webhook


@dataclass(frozen=True, slots=True)
class Add:
    job: Job
    row: dict[str, Any]
    body: dict[str, Any]
    webhooks: Sequence[Webhook] = ()

    @property
    def job_id(self) -> JobId:
        return self.job.id


@dataclass(frozen=True, slots=True)
class Claim:
    job_id: JobId
    values: dict[str, Any]
    is_adopted: bool = False
    """The attempt goes on that was sent to another server before."""

    @property
    def is_relaxed(self) -> bool:
        """It need not be flushed to the disk at once.

        The note of an errand is there for a process that dies, and what was written outlives that; a claim of a job
        that runs here is there for a machine that dies of the job.
        """
        return self.values["new_errand_client_id"] is not None


@dataclass(frozen=True, slots=True)
class Note:
    """Where a running attempt has been sent."""

    job_id: JobId
    values: dict[str, Any]

    @property
    def is_relaxed(self) -> bool:
        """As for a claim with an errand."""
        return True


@dataclass(frozen=True, slots=True)
class Requeue:
    job_id: JobId
    values: dict[str, Any]
    keeps_errand: bool = False
    """The attempt may go on where it was sent."""


@dataclass(frozen=True, slots=True)
class Finish:
    job_id: JobId
    values: dict[str, Any]
    result: dict[str, Any]
    outputs: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Alone:
    """Anything else that writes: called with the connection inside the transaction."""

    function: Callable[[Connection, Ledger], Any]


Operation = Add | Claim | Note | Requeue | Finish | Alone


def are_relaxed(operations: Sequence[Operation]) -> bool:
    """Whether none of them has to be on the disk before its answer."""
    return all(isinstance(operation, Claim | Note) and operation.is_relaxed for operation in operations)


class PartialMatch(Exception):
    """Some operations of a batch found their job in another state, and the database does not say which."""


def apply(connection: Connection, ledger: Ledger, operations: Sequence[Operation]) -> list[Any]:
    """Run a batch inside the caller's transaction; returns one outcome for each operation, in their order.

    Raises PartialMatch, or whatever the database raises, only for the batch as a whole.
    """
    outcomes: list[Any] = [None] * len(operations)
    for kind, indexes in _groups(operations):
        group = [operations[index] for index in indexes]
        ledger.changes.jobs += [operation.job_id for operation in group if not isinstance(operation, Alone)]
        for index, outcome in zip(indexes, _APPLY[kind](connection, ledger, group), strict=True):
            outcomes[index] = outcome
    return outcomes


_ORDER: dict[type[Any], int] = {Add: 0, Claim: 1, Note: 2, Requeue: 3, Finish: 4}


def _groups(operations: Sequence[Operation]) -> Iterator[tuple[type[Any], list[int]]]:
    """Indexes of operations that can run together, kind by kind, in an order that keeps that of every job."""
    waiting: dict[type[Any], list[int]] = defaultdict(list)
    latest: dict[JobId, int] = {}
    for index, operation in enumerate(operations):
        if isinstance(operation, Alone):
            yield from _drain(waiting)
            latest.clear()
            yield Alone, [index]
            continue
        order = _ORDER[type(operation)]
        if latest.get(operation.job_id, -1) >= order:
            yield from _drain(waiting)
            latest.clear()
        latest[operation.job_id] = order
        waiting[type(operation)].append(index)
    yield from _drain(waiting)


def _drain(waiting: dict[type[Any], list[int]]) -> Iterator[tuple[type[Any], list[int]]]:
    for kind in _ORDER:
        if indexes := waiting.pop(kind, None):
            yield kind, indexes


_ADD_BODY = insert(job_body)
_SEQUENCE = select(jobs.c.sequence).where(jobs.c.id == bindparam("job_id")).scalar_subquery()


def _insert_new_jobs(dialect: str) -> Insert:
    """An insert that leaves out jobs whose id is known; both databases have it, each under its own construct."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(jobs).on_conflict_do_nothing(index_elements=[jobs.c.id])
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(jobs).on_conflict_do_nothing(index_elements=[jobs.c.id])


_INSERT_NEW_JOBS: dict[str, Insert] = {}


def _add(connection: Connection, ledger: Ledger, group: Sequence[Add]) -> list[AddOutcome]:
    dialect = connection.dialect.name
    statement = _INSERT_NEW_JOBS.get(dialect)
    if statement is None:
        statement = _INSERT_NEW_JOBS[dialect] = _insert_new_jobs(dialect)
    sequences = ledger.take_sequences(len(group))
    rows = [{**add.row, "sequence": sequence} for add, sequence in zip(group, sequences, strict=True)]
    inserted: frozenset[int] | range = sequences
    if connection.execute(statement, rows).rowcount != len(group):
        known = connection.scalars(select(jobs.c.sequence).where(jobs.c.sequence.in_(sequences)))
        inserted = frozenset(known)
    bodies = [
        {"sequence": sequence, **{name: pack(value) for name, value in add.body.items()}}
        for add, sequence in zip(group, sequences, strict=True)
        if sequence in inserted
    ]
    if bodies:
        connection.execute(_ADD_BODY, bodies)
        ledger.move(None, State.queued, len(bodies))
    for add, sequence in zip(group, sequences, strict=True):
        if add.webhooks and sequence in inserted:
            outbox.register(connection, ledger, add.job_id, add.webhooks)
    return [
        Added(add.job) if sequence in inserted else _compare(connection, ledger, add)
        for add, sequence in zip(group, sequences, strict=True)
    ]


def _compare(connection: Connection, ledger: Ledger, add: Add) -> AddOutcome:
    job = add.job
    stored = job_from_row(connection.execute(select_job, {"job_id": job.id}).one())
    if stored.state is State.cancelled and connection.scalar(_IN_HISTORY, {"job_id": job.id}) is False:
        _revive(connection, ledger, add)
        return Added(job)
    is_same = (stored.fingerprint, stored.user) == (job.fingerprint, job.user)
    return Existing(stored) if is_same else Conflict(stored)


_IN_HISTORY = select(jobs.c.in_history).where(jobs.c.id == bindparam("job_id"))
_BLANK = {"removed": False, "started_ms": None, "ended_ms": None, "end_order": None, "worker": None, **NO_ERRAND}


def _revive(connection: Connection, ledger: Ledger, add: Add) -> None:
    """Let a job take the row of one that was taken out of the queue under the same id: nobody knows that one."""
    sequence = select(jobs.c.sequence).where(jobs.c.id == add.job.id).scalar_subquery()
    body = {name: pack(value) for name, value in add.body.items()}
    connection.execute(update(job_body).where(job_body.c.sequence == sequence).values(body))
    connection.execute(update(jobs).where(jobs.c.id == add.job.id).values({**add.row, **_BLANK}))
    ledger.move(State.cancelled, State.queued)
    outbox.register(connection, ledger, add.job_id, add.webhooks)


_CLAIM = (
    update(jobs)
    .where(
        jobs.c.id == bindparam("job_id"),
        jobs.c.state == State.queued.value,
        or_(
            jobs.c.attempt < bindparam("new_attempt"),
            and_(
                jobs.c.attempt == bindparam("new_attempt"), jobs.c.errand_client_id == bindparam("new_errand_client_id")
            ),
        ),
    )
    .values(
        state=State.running.value,
        attempt=bindparam("new_attempt"),
        worker=bindparam("new_worker"),
        started_ms=bindparam("new_started_ms"),
        errand_worker=bindparam("new_errand_worker"),
        errand_prompt_id=bindparam("new_errand_prompt_id"),
        errand_client_id=bindparam("new_errand_client_id"),
    )
)


def _claim(connection: Connection, ledger: Ledger, group: Sequence[Claim]) -> list[bool]:
    done = _update_each(connection, _CLAIM, [claim.values for claim in group])
    ledger.move(State.queued, State.running, sum(done))
    if ledger.webhooks and done != [False]:
        _first_attempts(connection, ledger, group)
    return done


def _first_attempts(connection: Connection, ledger: Ledger, group: Sequence[Claim]) -> None:
    """A job that starts again after a death of its worker or of the server has been told of."""
    first = [claim for claim in group if claim.values["new_attempt"] == 1 and not claim.is_adopted]
    if first:
        now_ms = max(claim.values["new_started_ms"] for claim in first)
        outbox.jobs_started(connection, ledger, [claim.job_id for claim in first], now_ms)


_IS_RUNNING_ATTEMPT = (
    jobs.c.id == bindparam("job_id"),
    jobs.c.state == State.running.value,
    jobs.c.attempt == bindparam("of_attempt"),
)

_NOTE = (
    update(jobs)
    .where(*_IS_RUNNING_ATTEMPT)
    .values(
        errand_worker=bindparam("new_errand_worker"),
        errand_prompt_id=bindparam("new_errand_prompt_id"),
        errand_client_id=bindparam("new_errand_client_id"),
    )
)


def _note(connection: Connection, ledger: Ledger, group: Sequence[Note]) -> list[bool]:
    return _update_each(connection, _NOTE, [note.values for note in group])


_REQUEUE_SENT = (
    update(jobs)
    .where(*_IS_RUNNING_ATTEMPT)
    .values(
        state=State.queued.value,
        worker=None,
        worker_deaths=jobs.c.worker_deaths + bindparam("more_worker_deaths"),
        server_deaths=jobs.c.server_deaths + bindparam("more_server_deaths"),
    )
)

_REQUEUE = _REQUEUE_SENT.values(started_ms=None, **NO_ERRAND)


def _requeue(connection: Connection, ledger: Ledger, group: Sequence[Requeue]) -> list[bool]:
    # Jobs that were sent elsewhere go back when the server stops, a few of them: one by one is fast enough.
    plain = [requeue.values for requeue in group if not requeue.keeps_errand]
    sent = [requeue.values for requeue in group if requeue.keeps_errand]
    if plain and sent:
        raise PartialMatch
    done = _update_each(connection, _REQUEUE_SENT if sent else _REQUEUE, sent or plain)
    ledger.move(State.running, State.queued, sum(done))
    return done


_FINISH = (
    update(jobs)
    .where(*_IS_RUNNING_ATTEMPT)
    .values(
        state=bindparam("end_state"),
        ended_ms=bindparam("at_ms"),
        duration_ms=bindparam("at_ms") - jobs.c.started_ms,
        end_order=bindparam("new_end_order"),
        in_history=True,
        **NO_ERRAND,
    )
)

_ADD_RESULT = insert(job_result).values(
    sequence=_SEQUENCE,
    outputs=bindparam("outputs_json"),
    meta=bindparam("meta_json"),
    messages=bindparam("messages_json"),
    error=bindparam("error_json"),
    shown=bindparam("shown_json"),
    events=bindparam("events_json"),
)

_ADD_OUTPUT = insert(outputs).values(
    sequence=_SEQUENCE,
    position=bindparam("at_position"),
    node_id=bindparam("at_node"),
    media_key=bindparam("at_media_key"),
    filename=bindparam("at_filename"),
    subfolder=bindparam("at_subfolder"),
    type=bindparam("at_type"),
)


def _finish(connection: Connection, ledger: Ledger, group: Sequence[Finish]) -> list[bool]:
    end_orders = ledger.take_end_orders(len(group))
    values = [{**finish.values, "new_end_order": order} for finish, order in zip(group, end_orders, strict=True)]
    done = _update_each(connection, _FINISH, values)
    if done != [False]:
        connection.execute(_ADD_RESULT, [_packed(finish.result) for finish in group])
        if files := [row for finish in group for row in finish.outputs]:
            connection.execute(_ADD_OUTPUT, files)
        for finish in group:
            ledger.move(State.running, State(finish.values["end_state"]), in_history=True)
        now_ms = max(finish.values["at_ms"] for finish in group)
        outbox.jobs_ended(connection, ledger, [finish.job_id for finish in group], now_ms)
    return done


def _packed(result: dict[str, Any]) -> dict[str, Any]:
    return {name: pack(value) if isinstance(value, bytes) else value for name, value in result.items()}


def _update_each(connection: Connection, statement: Update, values: list[dict[str, Any]]) -> list[bool]:
    """Update one job for each set of values; True when all were in the state that the statement asks for."""
    changed = connection.execute(statement, values).rowcount
    if changed == len(values):
        return [True] * changed
    if len(values) == 1:
        return [False]
    raise PartialMatch


def _alone(connection: Connection, ledger: Ledger, group: Sequence[Alone]) -> list[Any]:
    return [operation.function(connection, ledger) for operation in group]


_APPLY: dict[type[Any], Callable[[Connection, Ledger, Sequence[Any]], list[Any]]] = {
    Add: _add,
    Claim: _claim,
    Note: _note,
    Requeue: _requeue,
    Finish: _finish,
    Alone: _alone,
}
