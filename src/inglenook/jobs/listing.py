"""Pages over all stored jobs, quick however many there are: each order and filter has an index that serves it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select, func, or_, select, union_all

from inglenook.jobs.job import JobFilter, JobPage, Page
from inglenook.jobs.rows import listed_from_row
from inglenook.jobs.tables import job_result, jobs

_LISTED = (*jobs.c, job_result.c.outputs, job_result.c.error)


def list_jobs(connection: Connection, job_filter: JobFilter, page: Page) -> JobPage:
    """A page of all stored jobs, whatever their state, and how many match."""
    conditions = _conditions(job_filter)
    count = select(func.count()).select_from(jobs).where(*conditions, *_in_states(job_filter))
    total: int = connection.scalar(count) or 0
    if page.offset >= total or page.limit == 0:
        return JobPage((), total)
    part = _page(job_filter, conditions, page).subquery()
    rows = connection.execute(
        select(*_LISTED)
        .join(part, part.c.sequence == jobs.c.sequence)
        .outerjoin(job_result, job_result.c.sequence == jobs.c.sequence)
        .order_by(*_order(page, jobs.c[_SORT_COLUMN[page.sort]], jobs.c.sequence))
    )
    return JobPage(tuple(listed_from_row(row) for row in rows), total)


_SORT_COLUMN = {"created": "created_ms", "duration": "duration_ms"}


def _page(
    job_filter: JobFilter, conditions: list[ColumnElement[bool]], page: Page
) -> Select[Any] | CompoundSelect[Any]:
    """The sequences of one page."""
    column = jobs.c[_SORT_COLUMN[page.sort]]
    found = select(jobs.c.sequence, column.label("sorted_by")).where(*conditions)
    ordered: Select[Any] | CompoundSelect[Any]
    if job_filter.states and page.sort == "created" and job_filter.workflow_id is None:
        # Each state in the order of its index, merged by the database: no state makes it sort or scan another.
        ordered = union_all(*(found.where(jobs.c.state == state.value) for state in sorted(job_filter.states)))
    else:
        ordered = found.where(*_in_states(job_filter))
    whole = ordered.subquery()
    return (
        select(whole.c.sequence)
        .order_by(*_order(page, whole.c.sorted_by, whole.c.sequence))
        .limit(-1 if page.limit is None else page.limit)
        .offset(page.offset)
    )


def _order(page: Page, *columns: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    return [column.desc() if page.descending else column.asc() for column in columns]


def _in_states(job_filter: JobFilter) -> list[ColumnElement[bool]]:
    if job_filter.states is None:
        return []
    return [jobs.c.state.in_(sorted(state.value for state in job_filter.states))]


def _conditions(job_filter: JobFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if job_filter.workflow_id is not None:
        conditions.append(jobs.c.workflow_id == job_filter.workflow_id)
    if job_filter.client_id is not None:
        conditions.append(jobs.c.client_id == job_filter.client_id)
    if job_filter.search:
        searched = (jobs.c.id, jobs.c.client_id, jobs.c.workflow_id)
        conditions.append(or_(*(column.icontains(job_filter.search, autoescape=True) for column in searched)))
    return conditions
