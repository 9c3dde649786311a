"""Writes that concern many jobs at once: recovery at start, cancelling what waits, and removing old jobs.

Each function runs in the writer thread, inside a transaction (`operations.Alone`). Removals take a bounded number of
jobs a call, so that an accept never waits for a long one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, update

from inglenook.jobs.batch_tables import batch_jobs, batches
from inglenook.jobs.job import Job, JobId, JobResult, State
from inglenook.jobs.ledger import Ledger
from inglenook.jobs.operations import Finish, apply
from inglenook.jobs.outbox import jobs_ended
from inglenook.jobs.queries import queued_jobs, running_jobs
from inglenook.jobs.rows import output_rows, result_row
from inglenook.jobs.tables import HIGHEST_REMOVED_NUMBER, counters, job_body, job_result, jobs, outputs

MAX_SERVER_DEATHS = 3
"""A job that was running when the server died more often than this has failed: it may be what kills it."""

MAX_ADOPTIONS = 20
"""The same where the job ran on another server, and goes on there without being done again."""

REMOVED_AT_ONCE = 200
"""Jobs that one transaction removes at most: 2 to 4 ms on a laptop."""


def finish_operation(
    job_id: JobId, attempt: int, result: JobResult, show: Callable[[JobId, JobResult], bytes] | None = None
) -> Finish:
    """The operation that records the end of one attempt."""
    values = {"job_id": job_id, "of_attempt": attempt, "end_state": result.state.value, "at_ms": result.ended_ms}
    return Finish(job_id, values, result_row(job_id, result, show), output_rows(job_id, result.outputs))


def recover(connection: Connection, ledger: Ledger, result_of_lost: Callable[[Job], JobResult]) -> list[Job]:
    """Put what was running back into its old place, or fail it after too many deaths; returns all that waits."""
    running = running_jobs(connection)
    ledger.changes.jobs += [job.id for job in running]
    lost = [job for job in running if job.server_deaths >= (MAX_SERVER_DEATHS if job.errand is None else MAX_ADOPTIONS)]
    charge_death = {"server_deaths": jobs.c.server_deaths + 1}
    connection.execute(update(jobs).where(jobs.c.state == State.running.value).values(charge_death))
    for job in lost:
        result = result_of_lost(replace(job, server_deaths=job.server_deaths + 1))
        apply(connection, ledger, [finish_operation(job.id, job.attempt, result)])
    plain = (jobs.c.state == State.running.value, jobs.c.errand_client_id.is_(None))
    connection.execute(update(jobs).where(*plain).values(started_ms=None))
    back = {"state": State.queued.value, "worker": None}
    returned = connection.execute(update(jobs).where(jobs.c.state == State.running.value).values(back)).rowcount
    ledger.move(State.running, State.queued, returned)
    return queued_jobs(connection)


_CANCEL = (
    update(jobs)
    .where(jobs.c.sequence == bindparam("of_sequence"))
    .values(
        state=State.cancelled.value, removed=True, ended_ms=bindparam("at_ms"), end_order=bindparam("new_end_order")
    )
)


def cancel_queued(connection: Connection, ledger: Ledger, ids: Collection[JobId] | None, now_ms: int) -> list[JobId]:
    """Cancel jobs that have not started, all of them without ids; returns those it was in time for, in queue order."""
    waiting = (
        select(jobs.c.id, jobs.c.sequence)
        .where(jobs.c.state == State.queued.value)
        .order_by(jobs.c.priority.desc(), jobs.c.number, jobs.c.sequence)
    )
    if ids is not None and len(ids) <= REMOVED_AT_ONCE:
        waiting = waiting.where(jobs.c.id.in_(ids))
    wanted = None if ids is None else frozenset(ids)
    found = [row for row in connection.execute(waiting) if wanted is None or row.id in wanted]
    if found:
        orders = ledger.take_end_orders(len(found))
        connection.execute(
            _CANCEL,
            [
                {"of_sequence": row.sequence, "at_ms": now_ms, "new_end_order": order}
                for row, order in zip(found, orders, strict=True)
            ],
        )
        ledger.move(State.queued, State.cancelled, len(found))
        ledger.changes.jobs += [JobId(row.id) for row in found]
        jobs_ended(connection, ledger, [JobId(row.id) for row in found], now_ms)
    return [JobId(row.id) for row in found]


def set_counter(connection: Connection, name: str, value: int) -> None:
    """Put a value under a name."""
    if not connection.execute(update(counters).where(counters.c.name == name).values(value=value)).rowcount:
        connection.execute(insert(counters).values(name=name, value=value))


def touch(connection: Connection, _ledger: Ledger) -> None:
    """Write something that changes nothing."""
    connection.execute(update(counters).where(counters.c.name == HIGHEST_REMOVED_NUMBER).values(value=counters.c.value))


def adopt(connection: Connection, ledger: Ledger, user: str) -> None:
    """Give jobs without a user, of a server that did not tell them apart, to this one."""
    ledger.changes.is_everything = True
    connection.execute(update(jobs).where(jobs.c.user_id.is_(None)).values(user_id=user))


def remove_from_history(connection: Connection, ledger: Ledger, ids: Sequence[JobId], user: str | None) -> int:
    """Remove finished jobs (of one user) by id, at most REMOVED_AT_ONCE of them; others are left alone."""
    found = select(jobs.c.sequence).where(jobs.c.in_history.is_(True), jobs.c.id.in_(ids))
    if user is not None:
        found = found.where(jobs.c.user_id == user)
    return _remove(connection, ledger, connection.scalars(found).all())


def remove_ended(connection: Connection, ledger: Ledger, ids: Sequence[JobId], user: str | None) -> int:
    """Remove jobs (of one user) that have ended, whether or not they ever ran; at most REMOVED_AT_ONCE."""
    found = select(jobs.c.sequence).where(jobs.c.end_order.is_not(None), jobs.c.id.in_(ids))
    if user is not None:
        found = found.where(jobs.c.user_id == user)
    return _remove(connection, ledger, connection.scalars(found).all())


def remove_oldest_history(connection: Connection, ledger: Ledger, before_end_order: int, user: str | None) -> int:
    """Remove some of the oldest finished jobs (of one user); fewer than REMOVED_AT_ONCE when none is left."""
    oldest = _oldest(in_history=True).where(jobs.c.end_order < before_end_order).limit(REMOVED_AT_ONCE)
    if user is not None:
        oldest = oldest.where(jobs.c.user_id == user)
    return _remove(connection, ledger, [row.sequence for row in connection.execute(oldest)])


def trim(connection: Connection, ledger: Ledger, keep: int, ended_before_ms: int | None) -> int:
    """Remove some ended jobs beyond the number to keep, or that ended too long ago; returns how many.

    Jobs that were cancelled before they ran are counted apart, so that a cleared queue does not push out the history.
    """
    removed = 0
    for in_history, count in ((True, ledger.history), (False, ledger.not_run)):
        too_many = count - keep
        if too_many <= 0 and ended_before_ms is None:
            continue
        oldest = connection.execute(_oldest(in_history).limit(REMOVED_AT_ONCE)).all()
        old = [
            row.sequence
            for place, row in enumerate(oldest)
            if place < too_many or (ended_before_ms is not None and row.ended_ms < ended_before_ms)
        ]
        removed += _remove(connection, ledger, old)
    return removed


def _oldest(in_history: bool) -> Select[tuple[int, int | None]]:
    return (
        select(jobs.c.sequence, jobs.c.ended_ms)
        .where(jobs.c.in_history.is_(in_history), jobs.c.end_order.is_not(None))
        .order_by(jobs.c.end_order)
    )


def _remove(connection: Connection, ledger: Ledger, sequences: Sequence[int]) -> int:
    if not sequences:
        return 0
    _remember_highest_number(connection, sequences)
    counted = select(jobs.c.state, jobs.c.in_history, func.count()).where(jobs.c.sequence.in_(sequences))
    for state, in_history, count in connection.execute(counted.group_by(jobs.c.state, jobs.c.in_history)):
        ledger.move(State(state), None, count, in_history=in_history)
    ledger.changes.removed += sequences
    rows = [{"of_sequence": sequence} for sequence in sequences]
    of_batches = connection.scalars(
        select(batch_jobs.c.batch_id).distinct().where(batch_jobs.c.sequence.in_(sequences))
    ).all()
    for table in (batch_jobs, outputs, job_result, job_body, jobs):
        connection.execute(delete(table).where(table.c.sequence == bindparam("of_sequence")), rows)
    if of_batches:
        has_jobs = select(batch_jobs.c.sequence).where(batch_jobs.c.batch_id == batches.c.id).exists()
        connection.execute(delete(batches).where(batches.c.id.in_(of_batches), ~has_jobs))
    return len(sequences)


def _remember_highest_number(connection: Connection, sequences: Sequence[int]) -> None:
    """Keep the counter of `next_number` from going back when the jobs that carried it are gone."""
    highest = connection.scalar(
        select(func.max(func.abs(jobs.c.number))).where(jobs.c.sequence.in_(sequences), jobs.c.number_is_int.is_(True))
    )
    if highest is not None:
        connection.execute(
            update(counters)
            .where(counters.c.name == HIGHEST_REMOVED_NUMBER, counters.c.value < int(highest))
            .values(value=int(highest))
        )
