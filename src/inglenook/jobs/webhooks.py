"""What a webhook and a delivery are; plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from inglenook.jobs.job import JobId, State

STARTED = "task.started"

EVENT_OF_END = {
    State.succeeded: "task.succeeded",
    State.failed: "task.failed",
    State.cancelled: "task.cancelled",
    State.timed_out: "task.timeout",
}

EVENTS = (STARTED, *EVENT_OF_END.values())
"""Everything that a webhook can be told."""

ENDS = tuple(EVENT_OF_END.values())
"""What it is told unless somebody chooses."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Somebody who wants to hear of a job."""

    url: str
    events: tuple[str, ...] = ENDS
    secret: str | None = None
    """What its deliveries are signed with; None takes the server's own, if it has one."""


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    pending = "pending"
    delivered = "delivered"
    failed = "failed"
    """Given up."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message for one receiver. Times are milliseconds since the epoch."""

    sequence: int
    id: str
    job_id: JobId
    user: str | None
    event: str
    url: str
    origin: str
    is_standing: bool
    """The settings ask for it, not the task."""
    secret: str | None
    body: bytes
    state: DeliveryState
    attempts: int
    created_ms: int
    next_ms: int | None
    """When it is tried (again), while it is pending."""
    last_ms: int | None
    status_code: int | None
    """Of the last answer; None where there was none."""
    error: str | None
    """Why the last attempt counts as failed."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt at a delivery ended."""

    state: DeliveryState
    at_ms: int
    next_ms: int | None
    status_code: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries a listing shows; None means any."""

    user: str | None = None
    job_id: str | None = None
    state: DeliveryState | None = None
    event: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """A part of a listing, newest first, and how many match in all."""

    deliveries: tuple[Delivery, ...]
    total: int
