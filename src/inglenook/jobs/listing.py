"""Pages over all stored jobs: found in the index in memory (`job_index.py`), read from the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, case, select

from inglenook.jobs.job import JobFilter, JobPage, ListedJob, Listing, Page, Shown, State
from inglenook.jobs.job_index import JobIndex
from inglenook.jobs.rows import LISTED, listed_from_row
from inglenook.jobs.tables import job_result, jobs

_FAILED = (State.failed.value, State.timed_out.value)

_rows: Select[Any] = (
    select(
        *LISTED,
        job_result.c.outputs,
        job_result.c.error,
        case((jobs.c.state.in_(_FAILED), job_result.c.messages)).label("messages"),
    )
    .outerjoin(job_result, job_result.c.sequence == jobs.c.sequence)
    .where(jobs.c.sequence.in_(bindparam("sequences", expanding=True)))
)


def list_jobs(connection: Connection, index: JobIndex, job_filter: JobFilter, page: Page) -> JobPage:
    """A page of all stored jobs, whatever their state, and how many match."""
    sequences, total = index.find(connection, job_filter, page)
    return JobPage(tuple(show_jobs(connection, sequences, lambda job: job)), total)


def begin_listing(
    connection: Connection,
    index: JobIndex,
    job_filter: JobFilter,
    page: Page,
    show: Callable[[ListedJob], Shown],
    at_once: int,
) -> Listing[Shown]:
    """The first jobs of a page, shown, and the sequences of the others."""
    sequences, total = index.find(connection, job_filter, page)
    return Listing(show_jobs(connection, sequences[:at_once], show), sequences[at_once:], total)


def show_jobs(connection: Connection, sequences: Sequence[int], show: Callable[[ListedJob], Shown]) -> list[Shown]:
    """Jobs by their sequences, in that order; those that are gone are left out."""
    if not sequences:
        return []
    rows: dict[int, Row[Any]] = {row[0]: row for row in connection.execute(_rows, {"sequences": sequences})}
    return [show(listed_from_row(rows[sequence])) for sequence in sequences if sequence in rows]
