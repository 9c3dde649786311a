"""What the job store can be asked: functions from a connection to plain data, run by the reader threads."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, Subquery, bindparam, func, select

from inglenook.jobs.codec import from_json, unpack
from inglenook.jobs.job import FinishedJob, Job, JobId, MeasuredRun, OutputFile, State
from inglenook.jobs.rows import finished_from_row, job_from_row
from inglenook.jobs.tables import HIGHEST_REMOVED_NUMBER, counters, job_body, job_result, jobs, outputs

T = TypeVar("T")

_BODY = (job_body.c.graph, job_body.c.extra_data, job_body.c.targets)
_RESULT = (job_result.c.outputs, job_result.c.meta, job_result.c.messages, job_result.c.error)

_whole_jobs = select(jobs, *_BODY).join(job_body, job_body.c.sequence == jobs.c.sequence)

_finished_jobs = (
    select(jobs, *_BODY, *_RESULT)
    .join(job_body, job_body.c.sequence == jobs.c.sequence)
    .join(job_result, job_result.c.sequence == jobs.c.sequence)
)

_is_history = (jobs.c.in_history.is_(True), jobs.c.end_order.is_not(None))
"""The two conditions of the partial index `ix_jobs_ended`."""

select_job = _whole_jobs.where(jobs.c.id == bindparam("job_id"))

_queued_jobs = _whole_jobs.where(jobs.c.state == State.queued.value).order_by(
    jobs.c.priority.desc(), jobs.c.number, jobs.c.sequence
)

_history_entry = _finished_jobs.where(jobs.c.id == bindparam("job_id"), *_is_history)

_events = (
    select(job_result.c.events)
    .join(jobs, jobs.c.sequence == job_result.c.sequence)
    .where(jobs.c.id == bindparam("job_id"))
)

_part = select(jobs.c.sequence).where(*_is_history).limit(bindparam("at_most"))
"""Where a part of the history lies is found in the index alone, before any body is read."""


def _entries(part: Subquery) -> Select[Any]:
    return _finished_jobs.join(part, part.c.sequence == jobs.c.sequence).order_by(jobs.c.end_order)


_newest = _entries(_part.order_by(jobs.c.end_order.desc()).subquery())

_from_oldest = _entries(_part.order_by(jobs.c.end_order).offset(bindparam("skipped")).subquery())

_history_count = select(func.count()).select_from(jobs).where(*_is_history)


def get_job(connection: Connection, job_id: JobId) -> Job | None:
    row = connection.execute(select_job, {"job_id": job_id}).one_or_none()
    return None if row is None else job_from_row(row)


def queued_jobs(connection: Connection) -> list[Job]:
    """All jobs that wait, in the order in which they should run."""
    return [job_from_row(row) for row in connection.execute(_queued_jobs)]


def running_jobs(connection: Connection) -> list[Job]:
    """All jobs that a worker holds."""
    return [job_from_row(row) for row in connection.execute(_whole_jobs.where(jobs.c.state == State.running.value))]


def history_entry(connection: Connection, job_id: JobId) -> FinishedJob | None:
    row = connection.execute(_history_entry, {"job_id": job_id}).one_or_none()
    return None if row is None else finished_from_row(row)


def events_of(connection: Connection, job_id: JobId) -> dict[str, Any] | None:
    """What `JobResult.events` of a finished job was; None when it has none."""
    stored = connection.scalar(_events, {"job_id": job_id})
    if stored is None:
        return None
    events: dict[str, Any] = from_json(unpack(stored))
    return events


def history(connection: Connection, history_limit: int, max_items: int | None, offset: int | None) -> list[FinishedJob]:
    """Finished runs, oldest first; without an offset the newest `max_items` of them.

    A negative offset counts as none. What lies beyond the limit but is not trimmed yet stays unseen.
    """
    at_most = history_limit if max_items is None else max(0, min(max_items, history_limit))
    if offset is None or offset < 0:
        rows = connection.execute(_newest, {"at_most": at_most})
    else:
        unseen = max(0, (connection.scalar(_history_count) or 0) - history_limit)
        rows = connection.execute(_from_oldest, {"at_most": at_most, "skipped": unseen + offset})
    return [finished_from_row(row) for row in rows]


def next_number(connection: Connection) -> int:
    """One more than every number that the server ever gave out, 0 on an empty store.

    Numbers that clients chose (floats) do not count: a huge one would push the counter up for good.
    """
    removed = connection.scalar(select(counters.c.value).where(counters.c.name == HIGHEST_REMOVED_NUMBER))
    stored = connection.scalar(select(func.max(func.abs(jobs.c.number))).where(jobs.c.number_is_int.is_(True)))
    return 1 + max(-1 if removed is None else removed, -1 if stored is None else int(stored))


def measured_runs(
    connection: Connection, read: Callable[[MeasuredRun], T], after: int, at_most: int, shortest_ms: int
) -> list[T]:
    """The latest runs that ended well after this place in the order of completion, oldest first."""
    latest = (
        select(jobs.c.end_order, jobs.c.duration_ms, job_body.c.graph)
        .join(job_body, job_body.c.sequence == jobs.c.sequence)
        .where(*_is_history, jobs.c.end_order > after)
        .where(jobs.c.state == State.succeeded.value, jobs.c.duration_ms >= shortest_ms)
        .order_by(jobs.c.end_order.desc())
        .limit(at_most)
    )
    found = [read(MeasuredRun(row[0], row[1], unpack(row[2]))) for row in connection.execute(latest)]
    return found[::-1]


def counter(connection: Connection, name: str) -> int | None:
    """The value under a name; None when none was set."""
    value: int | None = connection.scalar(select(counters.c.value).where(counters.c.name == name))
    return value


def jobs_of_files(connection: Connection, filenames: Collection[str], user: str | None) -> list[OutputFile]:
    """The output files of these names that finished jobs (of one user) have written, in the order of the jobs."""
    found = (
        select(jobs.c.id, outputs.c.node_id, outputs.c.filename, outputs.c.subfolder, outputs.c.type)
        .join(jobs, jobs.c.sequence == outputs.c.sequence)
        .where(outputs.c.filename.in_(filenames))
        .order_by(outputs.c.sequence)
    )
    if user is not None:
        found = found.where(jobs.c.user_id == user)
    return [OutputFile(JobId(row[0]), *row[1:]) for row in connection.execute(found)]
