"""Batches in the store: functions of a connection, for `JobStore.read` and the writes beside new jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select

from inglenook.jobs.batch_tables import batch_jobs, batches
from inglenook.jobs.job import JobId, State
from inglenook.jobs.tables import jobs


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs that were accepted together."""

    id: str
    user: str | None
    created_ms: int
    count: int
    """Of its jobs when it was accepted."""
    fingerprint: str
    workflow_name: str | None = None


@dataclass(frozen=True, slots=True)
class BatchJob:
    """A job of a batch."""

    id: JobId
    position: int
    state: State


_SEQUENCE = select(jobs.c.sequence).where(jobs.c.id == bindparam("job_id")).scalar_subquery()
_ADD_JOB = insert(batch_jobs).values(
    sequence=_SEQUENCE, batch_id=bindparam("of_batch"), position=bindparam("at_position")
)


def add_batch(connection: Connection, batch: Batch, job_ids: Sequence[str]) -> None:
    """Write a batch whose jobs are there."""
    connection.execute(
        insert(batches).values(
            id=batch.id,
            user_id=batch.user,
            created_ms=batch.created_ms,
            count=batch.count,
            fingerprint=batch.fingerprint,
            workflow_name=batch.workflow_name,
        )
    )
    rows = [
        {"job_id": job_id, "of_batch": batch.id, "at_position": position} for position, job_id in enumerate(job_ids)
    ]
    connection.execute(_ADD_JOB, rows)


def find_batch(connection: Connection, batch_id: str) -> tuple[Batch, list[BatchJob]] | None:
    """A batch and those of its jobs that are still stored, in order."""
    row = connection.execute(select(batches).where(batches.c.id == batch_id)).one_or_none()
    if row is None:
        return None
    found = connection.execute(
        select(jobs.c.id, batch_jobs.c.position, jobs.c.state)
        .join(jobs, jobs.c.sequence == batch_jobs.c.sequence)
        .where(batch_jobs.c.batch_id == batch_id)
        .order_by(batch_jobs.c.position)
    )
    batch = Batch(row.id, row.user_id, row.created_ms, row._mapping["count"], row.fingerprint, row.workflow_name)
    return batch, [BatchJob(JobId(one.id), one.position, State(one.state)) for one in found]
