"""Finished runs as they are shown: JSON documents that were made when the run ended and are only joined here.

Nothing is parsed and nothing encoded: a hundred runs of two nodes take 1 ms, of 250 nodes most of it for unpacking.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, select

from inglenook.jobs.codec import unpack
from inglenook.jobs.job import EncodedRun, JobId, JobResult, Listing, Shown
from inglenook.jobs.queries import history_entry
from inglenook.jobs.tables import job_body, job_result, jobs

ShowResult = Callable[[JobId, JobResult], bytes]
"""JSON of a result, in the shape in which it will be shown."""

MOST_LISTED = 10_000
"""Runs that one question lists at most, as many as ComfyUI remembers."""

_is_finished = (jobs.c.in_history.is_(True), jobs.c.end_order.is_not(None))

_runs: Select[Any] = (
    select(
        jobs.c.sequence,
        jobs.c.id,
        jobs.c.number,
        jobs.c.number_is_int,
        job_body.c.graph,
        job_body.c.extra_data,
        job_body.c.targets,
        job_result.c.shown,
    )
    .join(job_body, job_body.c.sequence == jobs.c.sequence)
    .join(job_result, job_result.c.sequence == jobs.c.sequence)
)
_runs_by_sequence = _runs.where(jobs.c.sequence.in_(bindparam("sequences", expanding=True)))
"""Nothing else is asked of them, or SQLite would go through the index of all that has ended."""
_run = _runs.where(jobs.c.id == bindparam("job_id"), *_is_finished)
_run_of_user = _run.where(jobs.c.user_id == bindparam("user"))

_part = select(jobs.c.sequence).where(*_is_finished).limit(bindparam("at_most")).offset(bindparam("skipped"))
_oldest = _part.order_by(jobs.c.end_order)
_newest = _part.order_by(jobs.c.end_order.desc())
_count = select(func.count()).select_from(jobs).where(*_is_finished)


def find_run(connection: Connection, job_id: JobId, user: str | None, show: ShowResult) -> EncodedRun | None:
    """A finished run (of one user) by its id."""
    if user is None:
        row = connection.execute(_run, {"job_id": job_id}).one_or_none()
    else:
        row = connection.execute(_run_of_user, {"job_id": job_id, "user": user}).one_or_none()
    return None if row is None else _encoded(connection, row, show)


def begin_history(
    connection: Connection,
    user: str | None,
    stored: int,
    keep: int,
    max_items: int | None,
    offset: int | None,
    show: ShowResult,
    join: Callable[[EncodedRun], Shown],
    at_once: int,
) -> Listing[Shown]:
    """The first runs of a part of the history, oldest first, and the sequences of the others.

    offset counts from the oldest; without one (or with a negative one) `max_items` are the newest. stored: how many are
    in the history, counted only for one user; of more than `keep` the oldest, not trimmed yet, stay unseen.
    """
    total = min(stored, keep) if user is None else connection.scalar(_of(user, _count)) or 0
    unseen = stored - total if user is None else 0
    at_most = min(MOST_LISTED, total if max_items is None else max(0, max_items))
    if offset is None or offset < 0:
        at_most = min(at_most, total)
        start = total - at_most
    else:
        start = offset
    at_most = max(0, min(at_most, total - start))
    sequences = _found(connection, user, unseen + start, at_most, unseen + total) if at_most else []
    return Listing(runs(connection, sequences[:at_once], show, join), sequences[at_once:], total)


def _found(connection: Connection, user: str | None, start: int, at_most: int, total: int) -> list[int]:
    """Sequences of the runs from `start` on, counted from the end that is nearer."""
    if start <= total // 2:
        return list(connection.scalars(_of(user, _oldest), {"skipped": start, "at_most": at_most}))
    skipped = max(0, total - start - at_most)
    return list(connection.scalars(_of(user, _newest), {"skipped": skipped, "at_most": at_most}))[::-1]


def _of(user: str | None, statement: Select[Any]) -> Select[Any]:
    return statement if user is None else statement.where(jobs.c.user_id == user)


def runs(
    connection: Connection, sequences: Sequence[int], show: ShowResult, join: Callable[[EncodedRun], Shown]
) -> list[Shown]:
    """Finished runs by their sequences, in that order; those that are gone are left out."""
    if not sequences:
        return []
    rows = {row[0]: row for row in connection.execute(_runs_by_sequence, {"sequences": sequences})}
    return [join(_encoded(connection, rows[sequence], show)) for sequence in sequences if sequence in rows]


def _encoded(connection: Connection, row: Row[Any], show: ShowResult) -> EncodedRun:
    _sequence, job_id, number, number_is_int, graph, extra_data, targets, shown = tuple(row)
    if shown is None:  # of an older version
        entry = history_entry(connection, job_id)
        shown = b"{}" if entry is None else show(job_id, entry.result)
    return EncodedRun(
        job_id, int(number) if number_is_int else number, *map(unpack, (graph, extra_data, targets, shown))
    )
