"""The index of jobs: what listings filter and sort by, of every stored job, in memory.

A listing may combine any states, a user, a workflow, a search for a part of a text, and two orders, and it tells how
many jobs match. No set of indexes of a database answers all of that in a few milliseconds: of 100,000 jobs, skipping
50,000 of four states took 7 ms, counting those of a workflow 30 ms, a search 200 ms. Here each takes 1 to 4 ms, and the
database has six indexes less to keep.

The index is read at the first listing and then follows what the writer commits: the rows of jobs that changed are read
again before the next listing, so that it never shows less than what was committed before.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from inglenook.jobs.changes import ChangeFeed, Changes
from inglenook.jobs.index_columns import LabelColumn, Order, TextColumn, everywhere, from_mask, to_mask
from inglenook.jobs.job import JobFilter, Page, State
from inglenook.jobs.tables import jobs

_ROWS = select(
    jobs.c.sequence,
    jobs.c.id,
    jobs.c.state,
    jobs.c.removed,
    jobs.c.created_ms,
    jobs.c.duration_ms,
    jobs.c.user_id,
    jobs.c.client_id,
    jobs.c.workflow_id,
    jobs.c.workflow_name,
).order_by(jobs.c.sequence)
_CHANGED_ROWS = _ROWS.where(jobs.c.id.in_(bindparam("ids", expanding=True)))
_AT_ONCE = 500
_MOST_ANSWERS = 8
"""Filters whose jobs are kept in mind: whoever turns pages comes back with the same one."""
_FEW_GONE = 1000

_CODES = {state.value: code for code, state in enumerate(State)}
_REMOVED = len(_CODES)
"""Code of the state of a job that was taken out of the queue before it ran."""
_GONE = _REMOVED + 1
"""Code of a place whose job is no longer stored."""


class JobIndex:
    """Finds pages of jobs. Safe to be asked by several threads, each with its own connection."""

    def __init__(self, feed: ChangeFeed) -> None:
        self._feed = feed
        self._lock = threading.Lock()
        self._columns: _Columns | None = None

    def find(self, connection: Connection, job_filter: JobFilter, page: Page) -> tuple[list[int], int]:
        """Sequences of the jobs of a page, in its order, and how many match in all."""
        with self._lock:
            return self._fresh(connection).find(job_filter, page)

    def _fresh(self, connection: Connection) -> _Columns:
        changes, columns = self._feed.take(), self._columns
        self._columns = None  # what was taken is lost if the database does not answer now
        if columns is None or changes.is_everything or columns.is_worn:
            columns = _Columns(connection.execute(_ROWS))
        else:
            _follow(columns, connection, changes)
        self._columns = columns
        return columns


def _follow(columns: _Columns, connection: Connection, changes: Changes) -> None:
    changed = list(dict.fromkeys(changes.jobs))
    rows: list[Row[Any]] = []
    for start in range(0, len(changed), _AT_ONCE):
        rows += connection.execute(_CHANGED_ROWS, {"ids": changed[start : start + _AT_ONCE]})
    for row in sorted(rows, key=lambda row: int(row[0])):
        columns.put(row)
    for sequence in changes.removed:
        columns.forget(sequence)


class _Columns:
    """The jobs in the order of their arrival, column by column; a job keeps its place, also when it is gone."""

    def __init__(self, rows: Iterable[Row[Any]]) -> None:
        self._sequences, self._created, self._durations = array("q"), array("q"), array("q")
        self._states = bytearray()
        self._users: LabelColumn[str | None] = LabelColumn()
        self._clients: LabelColumn[str | None] = LabelColumn()
        self._workflows: LabelColumn[tuple[str | None, str | None]] = LabelColumn()
        self._ids = TextColumn()
        self._gone = 0
        self._answers: dict[JobFilter, tuple[int, int]] = {}
        """Filters -> which jobs match, and how many, until a job changes."""
        for part in _parts(rows):
            self._append(part)
        self._orders = {"created": Order(self._created), "duration": Order(self._durations)}

    def _append(self, rows: Sequence[Row[Any]]) -> None:
        columns: Sequence[Any] = tuple(zip(*rows, strict=True))
        sequences, ids, states, removed, created, durations, users, clients, *workflow = columns
        self._sequences.extend(sequences)
        self._ids.extend(ids)
        self._states += bytes(map(_code, states, removed))
        self._created.extend(created)
        self._durations.extend(durations)
        self._users.extend(users)
        self._clients.extend(clients)
        self._workflows.extend(zip(*workflow, strict=True))

    @property
    def is_worn(self) -> bool:
        """Whether so many places stand for jobs that are gone that reading anew saves memory."""
        return self._gone > max(_FEW_GONE, len(self._sequences) // 2)

    def put(self, row: Row[Any]) -> None:
        """Add a job, or give it other values."""
        self._answers.clear()
        place = bisect_left(self._sequences, row[0])
        if place == len(self._sequences):
            self._append([row])
            for order in self._orders.values():
                order.add(place)
            return
        _sequence, _id, state, removed, created, duration, user, client, *workflow = tuple(row)
        if self._sequences[place] != row[0] or self._states[place] == _GONE:
            return
        self._states[place] = _code(state, removed)
        self._users.replace(place, user)
        self._clients.replace(place, client)
        self._workflows.replace(place, (workflow[0], workflow[1]))
        self._sort_again("created", self._created, place, created)
        self._sort_again("duration", self._durations, place, duration)

    def _sort_again(self, order: str, keys: array[int], place: int, key: int) -> None:
        if keys[place] != key:
            self._orders[order].discard(place)
            keys[place] = key
            self._orders[order].add(place)

    def forget(self, sequence: int) -> None:
        """Take a job out that is no longer stored."""
        self._answers.clear()
        place = bisect_left(self._sequences, sequence)
        if place < len(self._sequences) and self._sequences[place] == sequence and self._states[place] != _GONE:
            self._states[place] = _GONE
            self._gone += 1

    def find(self, job_filter: JobFilter, page: Page) -> tuple[list[int], int]:
        if job_filter not in self._answers:
            while len(self._answers) >= _MOST_ANSWERS:
                del self._answers[next(iter(self._answers))]
            mask = self._matching(job_filter)
            self._answers[job_filter] = mask, from_mask(mask, len(self._sequences)).count(1)
        mask, total = self._answers[job_filter]
        at_most = total if page.limit is None else page.limit
        first, last = min(page.offset, total), min(page.offset + at_most, total)
        if first == last:
            return [], total
        start, end = (total - last, total - first) if page.descending else (first, last)
        places = self._orders[page.sort].part(mask, start, end, total)
        return [self._sequences[place] for place in (reversed(places) if page.descending else places)], total

    def _matching(self, wanted: JobFilter) -> int:
        mask = to_mask(self._states.translate(_wanted_codes(wanted)))
        if mask and wanted.user is not None:
            mask &= self._users.where(lambda user: user == wanted.user)
        if mask and wanted.workflow_id is not None:
            mask &= self._workflows.where(lambda workflow: workflow[0] == wanted.workflow_id)
        if mask and wanted.workflow is not None:
            names = {wanted.workflow, f"{wanted.workflow}.json"}
            mask &= self._workflows.where(lambda workflow: workflow[0] == wanted.workflow or workflow[1] in names)
        if mask and wanted.search:
            mask &= self._containing(wanted.search)
        return mask

    def _containing(self, part: str) -> int:
        folded = part.casefold()
        found = self._clients.where(lambda client: client is not None and folded in client.casefold())
        if found == (everything := everywhere(len(self._sequences))):
            return everything
        found |= self._workflows.where(lambda names: any(name and folded in name.casefold() for name in names))
        return found | self._ids.containing(part)


def _code(state: str, is_removed: bool) -> int:
    return _REMOVED if is_removed else _CODES[state]


def _wanted_codes(wanted: JobFilter) -> bytes:
    """A table that makes 1 of the codes of states that are asked for, 0 of the others."""
    codes = {_CODES[state.value] for state in State if wanted.states is None or state in wanted.states}
    if wanted.with_removed and _CODES[State.cancelled.value] in codes:
        codes.add(_REMOVED)
    return bytes(code in codes for code in range(256))


def _parts(rows: Iterable[Row[Any]]) -> Iterator[list[Row[Any]]]:
    part: list[Row[Any]] = []
    for row in rows:
        part.append(row)
        if len(part) == 10_000:
            yield part
            part = []
    if part:
        yield part
