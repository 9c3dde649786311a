"""Pages over all stored jobs, quick however many there are: each order and filter but the search has its index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select, func, or_, select, union_all

from inglenook.jobs.job import JobFilter, JobPage, Page, State
from inglenook.jobs.rows import listed_from_row
from inglenook.jobs.tables import job_result, jobs

_SORT_COLUMN = {"created": jobs.c.created_ms, "duration": jobs.c.duration_ms}


def list_jobs(connection: Connection, job_filter: JobFilter, page: Page, by_state: Mapping[State, int]) -> JobPage:
    """A page of all stored jobs, whatever their state, and how many match.

    by_state: how many jobs are stored in each state; counting them here would take longer than the page.
    """
    conditions = _conditions(job_filter)
    rows: list[Any] = []
    if page.limit != 0 and _states(job_filter):
        part = _sequences(job_filter, conditions, page).subquery()
        whole = (
            select(*jobs.c, job_result.c.outputs, job_result.c.error)
            .join(part, part.c.sequence == jobs.c.sequence)
            .outerjoin(job_result, job_result.c.sequence == jobs.c.sequence)
        )
        rows = list(connection.execute(whole.order_by(*_order(page, _SORT_COLUMN[page.sort], jobs.c.sequence))))
    if not conditions:
        total = sum(by_state[state] for state in _states(job_filter))
    elif (rows or page.offset == 0) and (page.limit is None or len(rows) < page.limit):
        total = page.offset + len(rows)
    else:
        total = _count(connection, job_filter, conditions)
    return JobPage(tuple(listed_from_row(row) for row in rows), total)


def _sequences(
    job_filter: JobFilter, conditions: list[ColumnElement[bool]], page: Page
) -> Select[Any] | CompoundSelect[Any]:
    """The sequences of one page, found in an index alone."""
    column = _SORT_COLUMN[page.sort]
    found = select(jobs.c.sequence, column).where(*conditions)
    if _is_any_state(job_filter):
        ordered: Select[Any] | CompoundSelect[Any] = found.order_by(*_order(page, column, jobs.c.sequence))
    elif page.sort == "created" and job_filter.workflow_id is None:
        # Each state in the order of its index, merged by the database: none is sorted, none is scanned for another.
        merged = union_all(*(found.where(jobs.c.state == state.value) for state in _states(job_filter)))
        sequence, sorted_by = merged.selected_columns
        ordered = merged.order_by(*_order(page, sorted_by, sequence))
    else:
        of_states = found.where(_in_states(job_filter))
        ordered = of_states.order_by(*_order(page, column, jobs.c.sequence))
    return ordered.limit(page.limit).offset(page.offset)


def _count(connection: Connection, job_filter: JobFilter, conditions: list[ColumnElement[bool]]) -> int:
    count = select(func.count()).select_from(jobs).where(*conditions)
    if not _is_any_state(job_filter):
        count = count.where(_in_states(job_filter))
    return connection.scalar(count) or 0


def _order(page: Page, *columns: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    return [column.desc() if page.descending else column.asc() for column in columns]


def _states(job_filter: JobFilter) -> list[State]:
    return [state for state in State if job_filter.states is None or state in job_filter.states]


def _is_any_state(job_filter: JobFilter) -> bool:
    return len(_states(job_filter)) == len(State)


def _in_states(job_filter: JobFilter) -> ColumnElement[bool]:
    # As an expression, so that SQLite takes the index of the workflow and not that of the state.
    state = jobs.c.state if job_filter.workflow_id is None else func.coalesce(jobs.c.state, "")
    return state.in_([state.value for state in _states(job_filter)])


def _conditions(job_filter: JobFilter) -> list[ColumnElement[bool]]:
    """What a filter asks for besides states."""
    conditions: list[ColumnElement[bool]] = []
    if job_filter.workflow_id is not None:
        conditions.append(jobs.c.workflow_id == job_filter.workflow_id)
    if job_filter.search:
        searched = (jobs.c.id, jobs.c.client_id, jobs.c.workflow_id)
        conditions.append(or_(*(column.icontains(job_filter.search, autoescape=True) for column in searched)))
    return conditions
