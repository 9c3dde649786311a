"""The outbox of webhooks: deliveries are written in the transaction of what they tell.

So a job that has ended has its deliveries, whatever happens to the server next, and one that has not has none. All
functions run in the writer thread, inside a transaction; without webhooks they cost nothing, since the ledger counts
these. Who sends what is written here: `dispatch/webhooks.py`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, or_, select, update

from inglenook.jobs.codec import from_json, pack, to_json, unpack
from inglenook.jobs.job import JobId, State
from inglenook.jobs.ledger import Ledger
from inglenook.jobs.tables import job_result, jobs, outputs
from inglenook.jobs.webhook_tables import webhook_deliveries, webhooks
from inglenook.jobs.webhooks import EVENT_OF_END, STARTED, Attempt, Delivery, DeliveryState, Webhook

EVERY_JOB = ""
"""Id under which the webhooks of the settings stand."""

_MOST_OUTPUTS = 1000
_STATUS_WORDS = {
    STARTED: "running",
    "task.succeeded": "success",
    "task.failed": "error",
    "task.cancelled": "cancelled",
    "task.timeout": "timeout",
}
_AT_ONCE = 500
"""Ids in one statement; SQLite takes 32,766 parameters, old ones 999."""


def register(connection: Connection, ledger: Ledger, job_id: JobId, hooks: Iterable[Webhook]) -> None:
    """Note who wants to hear of a job that has not ended."""
    rows = [
        {"job_id": job_id, "url": hook.url, "events": ",".join(hook.events), "secret": hook.secret} for hook in hooks
    ]
    if rows:
        connection.execute(insert(webhooks), rows)
        ledger.webhooks += len(rows)


def register_late(connection: Connection, ledger: Ledger, job_id: JobId, hooks: Sequence[Webhook], now_ms: int) -> bool:
    """Note who wants to hear of a job that may have ended already, and then tell; False when there is no such job."""
    state = connection.scalar(select(jobs.c.state).where(jobs.c.id == job_id))
    if state is None:
        return False
    register(connection, ledger, job_id, hooks)
    if State(state).is_end:
        _tell_end(connection, ledger, [job_id], now_ms, only_of_jobs=True)
    return True


def set_standing(connection: Connection, ledger: Ledger, hooks: Sequence[Webhook]) -> None:
    """Make these the webhooks that hear of every job, in place of those before."""
    removed = connection.execute(delete(webhooks).where(webhooks.c.job_id == EVERY_JOB)).rowcount
    ledger.webhooks -= removed
    register(connection, ledger, JobId(EVERY_JOB), hooks)


def jobs_started(connection: Connection, ledger: Ledger, ids: Sequence[JobId], now_ms: int) -> None:
    """Jobs were given to a worker for the first time."""
    if ledger.webhooks:
        hooks = _hooks(connection, ids)
        _write(connection, ledger, hooks, _tasks(connection, hooks), dict.fromkeys(hooks, STARTED), now_ms)


def jobs_ended(connection: Connection, ledger: Ledger, ids: Sequence[JobId], now_ms: int) -> None:
    """Jobs have their end, and their results, written down; their registrations are done with."""
    if ledger.webhooks:
        _tell_end(connection, ledger, ids, now_ms)


def _tell_end(
    connection: Connection, ledger: Ledger, ids: Sequence[JobId], now_ms: int, *, only_of_jobs: bool = False
) -> None:
    hooks = _hooks(connection, ids, only_of_jobs=only_of_jobs)
    tasks = _tasks(connection, hooks)
    events = {job_id: EVENT_OF_END[State(row.state)] for job_id, row in tasks.items()}
    _write(connection, ledger, hooks, tasks, events, now_ms)
    done = [job_id for job_id, rows in hooks.items() if any(row.job_id for row in rows)]
    for part in _parts(done):
        ledger.webhooks -= connection.execute(delete(webhooks).where(webhooks.c.job_id.in_(part))).rowcount


def _parts(ids: Sequence[JobId]) -> Iterable[Sequence[JobId]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))


def _hooks(connection: Connection, ids: Sequence[JobId], *, only_of_jobs: bool = False) -> dict[JobId, list[Row[Any]]]:
    """The webhooks of each job that has some."""
    found: dict[JobId, list[Row[Any]]] = {}
    standing = [] if only_of_jobs else list(connection.execute(select(webhooks).where(webhooks.c.job_id == EVERY_JOB)))
    for part in _parts(ids):
        for row in connection.execute(select(webhooks).where(webhooks.c.job_id.in_(part))):
            found.setdefault(JobId(row.job_id), []).append(row)
    if standing:
        found = {job_id: [*standing, *found.get(job_id, ())] for job_id in ids}
    return found


def _tasks(connection: Connection, hooks: Mapping[JobId, object]) -> dict[JobId, Row[Any]]:
    about = (jobs.c.id, jobs.c.sequence, jobs.c.state, jobs.c.client_id, jobs.c.user_id, jobs.c.attempt)
    rest: list[ColumnElement[Any]] = [jobs.c.created_ms, jobs.c.started_ms, jobs.c.ended_ms, job_result.c.error]
    query = select(*about, *rest).join(job_result, job_result.c.sequence == jobs.c.sequence, isouter=True)
    return {
        JobId(row.id): row
        for part in _parts(list(hooks))
        for row in connection.execute(query.where(jobs.c.id.in_(part)))
    }


def _write(
    connection: Connection,
    ledger: Ledger,
    hooks: Mapping[JobId, Sequence[Row[Any]]],
    tasks: Mapping[JobId, Row[Any]],
    events: Mapping[JobId, str],
    now_ms: int,
) -> None:
    """Write a delivery for each webhook that wants this event of its job."""
    rows = []
    for job_id, task in tasks.items():
        event = events[job_id]
        wanting = [hook for hook in hooks[job_id] if event in hook.events.split(",")]
        if not wanting:
            continue
        message = _message(connection, event, task, now_ms)
        for hook in wanting:
            delivery_id = uuid.uuid4().hex
            rows.append(
                {
                    "id": delivery_id,
                    "job_id": job_id,
                    "user_id": task.user_id,
                    "event": event,
                    "url": hook.url,
                    "origin": origin_of(hook.url),
                    "is_standing": int(hook.job_id == EVERY_JOB),
                    "secret": hook.secret,
                    "body": pack(to_json({"id": delivery_id, **message})),
                    "state": DeliveryState.pending.value,
                    "attempts": 0,
                    "created_ms": now_ms,
                    "next_ms": now_ms,
                }
            )
    if rows:
        connection.execute(insert(webhook_deliveries), rows)
        ledger.deliveries += len(rows)


def origin_of(url: str) -> str:
    """Scheme, host and port of an URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _message(connection: Connection, event: str, task: Row[Any], now_ms: int) -> dict[str, Any]:
    """What a receiver is told of a job."""
    is_end = event != STARTED
    return {
        "event": event,
        "time_ms": now_ms,
        "task_id": task.id,
        "prompt_id": task.id,
        "status": _STATUS_WORDS[event],
        "client_id": task.client_id,
        "attempt": task.attempt,
        "created_ms": task.created_ms,
        "started_ms": task.started_ms,
        "ended_ms": task.ended_ms if is_end else None,
        "outputs": _outputs(connection, task.sequence) if is_end else [],
        "error": from_json(unpack(task.error)) if is_end and task.error is not None else None,
    }


def _outputs(connection: Connection, sequence: int) -> list[dict[str, str]]:
    query = select(outputs).where(outputs.c.sequence == sequence).order_by(outputs.c.position).limit(_MOST_OUTPUTS)
    return [
        {
            "node_id": row.node_id,
            "kind": row.media_key,
            "filename": row.filename,
            "subfolder": row.subfolder,
            "type": row.type,
            "url": "/api/view?" + _query(row),
        }
        for row in connection.execute(query)
    ]


def _query(row: Row[Any]) -> str:
    fields = {"filename": row.filename, "subfolder": row.subfolder, "type": row.type}
    return urlencode({name: value.encode(errors="replace") for name, value in fields.items()})


# What becomes of deliveries


def record_attempt(connection: Connection, delivery: Delivery, attempt: Attempt) -> None:
    """Write down how an attempt ended."""
    connection.execute(
        update(webhook_deliveries)
        .where(webhook_deliveries.c.sequence == delivery.sequence)
        .values(
            state=attempt.state.value,
            attempts=delivery.attempts + 1,
            next_ms=attempt.next_ms,
            last_ms=attempt.at_ms,
            status_code=attempt.status_code,
            error=attempt.error,
        )
    )


def redeliver(connection: Connection, ledger: Ledger, sequence: int, now_ms: int) -> None:
    """Let a delivery be tried again from the start."""
    again = {"state": DeliveryState.pending.value, "attempts": 0, "next_ms": now_ms}
    connection.execute(update(webhook_deliveries).where(webhook_deliveries.c.sequence == sequence).values(again))
    ledger.deliveries += 1


def trim_deliveries(connection: Connection, keep: int, created_before_ms: int) -> int:
    """Remove some deliveries that are done: those beyond a number and those that are too old; returns how many."""
    table = webhook_deliveries.c
    is_done = table.next_ms.is_(None)
    newest_to_go = connection.scalar(
        select(table.sequence).where(is_done).order_by(table.sequence.desc()).offset(keep).limit(1)
    )
    too_many = table.sequence <= (-1 if newest_to_go is None else newest_to_go)
    chosen = select(table.sequence).where(is_done, or_(too_many, table.created_ms < created_before_ms))
    sequences = connection.scalars(chosen.order_by(table.sequence).limit(_AT_ONCE)).all()
    if sequences:
        connection.execute(delete(webhook_deliveries).where(table.sequence.in_(sequences)))
    return len(sequences)
