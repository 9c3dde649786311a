"""Notes when a job began that was given to a worker earlier: it waited there. For `JobStore.write`."""

from __future__ import annotations

from sqlalchemy import Connection, update

from inglenook.jobs.job import State
from inglenook.jobs.tables import jobs


def note_start(connection: Connection, job_id: str, attempt: int, started_ms: int) -> None:
    """Put the time at which a running attempt began in place of that at which the worker got it; milliseconds."""
    running = (jobs.c.id == job_id, jobs.c.attempt == attempt, jobs.c.state == State.running.value)
    connection.execute(update(jobs).where(*running).values(started_ms=started_ms))
