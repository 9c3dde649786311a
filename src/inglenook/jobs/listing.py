"""Pages over all stored jobs, quick however many there are: each order and filter but the search has its index.

A page is found in an index alone, a state (and what was removed) at a time and merged by the database; 50,000 skipped
jobs take 1 ms of one state and 7 ms of four. So a page beyond the middle is found from the other end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, case, func, or_, select, union_all

from inglenook.jobs.job import JobFilter, JobPage, ListedJob, Listing, Page, Shown, State
from inglenook.jobs.rows import LISTED, listed_from_row
from inglenook.jobs.tables import job_result, jobs

_SORT_COLUMN = {"created": jobs.c.created_ms, "duration": jobs.c.duration_ms}
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


def list_jobs(connection: Connection, job_filter: JobFilter, page: Page, by_state: Mapping[State, int]) -> JobPage:
    """A page of all stored jobs, whatever their state, and how many match.

    by_state: how many jobs are listed in each state; counting them here would take longer than the page.
    """
    sequences, total = find_jobs(connection, job_filter, page, by_state)
    return JobPage(tuple(show_jobs(connection, sequences, lambda job: job)), total)


def begin_listing(
    connection: Connection,
    job_filter: JobFilter,
    page: Page,
    by_state: Mapping[State, int],
    show: Callable[[ListedJob], Shown],
    at_once: int,
) -> Listing[Shown]:
    """The first jobs of a page, shown, and the sequences of the others."""
    sequences, total = find_jobs(connection, job_filter, page, by_state)
    return Listing(show_jobs(connection, sequences[:at_once], show), sequences[at_once:], total)


def show_jobs(connection: Connection, sequences: Sequence[int], show: Callable[[ListedJob], Shown]) -> list[Shown]:
    """Jobs by their sequences, in that order; those that are gone are left out."""
    if not sequences:
        return []
    rows: dict[int, Row[Any]] = {row[0]: row for row in connection.execute(_rows, {"sequences": sequences})}
    return [show(listed_from_row(rows[sequence])) for sequence in sequences if sequence in rows]


def find_jobs(
    connection: Connection, job_filter: JobFilter, page: Page, by_state: Mapping[State, int]
) -> tuple[list[int], int]:
    """Sequences of a page, and how many jobs match in all."""
    branches = list(_branches(job_filter, page))
    if not branches:
        return [], 0
    is_plain = not (job_filter.user or job_filter.workflow_id or job_filter.workflow or job_filter.search)
    if is_plain:
        total = sum(by_state[state] for state in _states(job_filter))
    elif page.offset == 0 and page.limit is None:
        found = _found(connection, branches, page)
        return found, len(found)
    else:
        counts = union_all(*(branch.with_only_columns(func.count()) for branch in branches))
        total = sum(connection.scalars(counts))
    if page.limit == 0 or page.offset >= total:
        return [], total
    if page.offset <= total // 2:
        return _found(connection, branches, page), total
    last = total if page.limit is None else min(total, page.offset + page.limit)
    turned = replace(page, descending=not page.descending, offset=total - last, limit=last - page.offset)
    return _found(connection, branches, turned)[::-1], total


def _found(connection: Connection, branches: Sequence[Select[Any]], page: Page) -> list[int]:
    if len(branches) == 1:
        (found,) = branches
        ordered = found.order_by(*_order(page, _SORT_COLUMN[page.sort], jobs.c.sequence))
        return list(connection.scalars(ordered.limit(page.limit).offset(page.offset)))
    merged = union_all(*branches)
    sequence, sorted_by = merged.selected_columns
    pages = merged.order_by(*_order(page, sorted_by, sequence)).limit(page.limit).offset(page.offset)
    return list(connection.scalars(pages))


def _branches(job_filter: JobFilter, page: Page) -> Iterator[Select[Any]]:
    """One select for each range of an index that the jobs of a filter fill."""
    found = select(jobs.c.sequence, _SORT_COLUMN[page.sort]).where(*_conditions(job_filter))
    states = _states(job_filter)
    if len(states) == len(State) and page.sort == "created" and not (job_filter.user or job_filter.workflow_id):
        for removed in (False, True) if job_filter.with_removed else (False,):
            yield found.where(jobs.c.removed == removed)
        return
    for state in states:
        of_state = found.where(jobs.c.state == state.value)
        yield of_state.where(jobs.c.removed == False)  # noqa: E712
        if state is State.cancelled and job_filter.with_removed:
            yield of_state.where(jobs.c.removed == True)  # noqa: E712


def _order(page: Page, *columns: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    return [column.desc() if page.descending else column.asc() for column in columns]


def _states(job_filter: JobFilter) -> list[State]:
    return [state for state in State if job_filter.states is None or state in job_filter.states]


def _conditions(job_filter: JobFilter) -> list[ColumnElement[bool]]:
    """What a filter asks for besides states."""
    conditions: list[ColumnElement[bool]] = []
    if job_filter.workflow is not None:
        named = jobs.c.workflow_name == job_filter.workflow
        conditions.append(or_(named, jobs.c.workflow_id == job_filter.workflow))
    if job_filter.workflow_id is not None:
        conditions.append(jobs.c.workflow_id == job_filter.workflow_id)
    if job_filter.user is not None:
        # Beside a workflow as an expression, so that SQLite takes the index of the workflow.
        user = jobs.c.user_id if job_filter.workflow_id is None else func.coalesce(jobs.c.user_id, "")
        conditions.append(user == job_filter.user)
    if job_filter.search:
        searched = (jobs.c.id, jobs.c.client_id, jobs.c.workflow_id, jobs.c.workflow_name)
        conditions.append(or_(*(column.icontains(job_filter.search, autoescape=True) for column in searched)))
    return conditions
