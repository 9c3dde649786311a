"""What a job is and what its run leaves behind; plain data that every part of the server shares.

A job is accepted once (`queued`), run by one worker at a time (`running`) and ends once (`succeeded`, `failed`,
`cancelled`, `timed_out`). `attempt` counts its runs; only the latest attempt may write the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Generic, Literal, NewType, TypeVar

from inglenook.jobs.codec import from_json

_SMALL_BYTES = 4096

JobId = NewType("JobId", str)

DeathCount = Literal["none", "worker", "server"]
"""What a job that goes back to the queue is charged with: nothing, a death of its worker, a death of the server."""


class State(StrEnum):
    """Where a job stands."""

    queued = "queued"
    running = "running"
    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"
    timed_out = "timed_out"

    @property
    def is_end(self) -> bool:
        """True for states that a job never leaves."""
        return self not in (State.queued, State.running)


@dataclass(frozen=True, slots=True)
class Errand:
    """Where an attempt was sent that goes on when this process ends: enough to find it there again."""

    worker: str
    prompt_id: str
    """What the job is called there; some servers choose another id, which replaces this one when they have said so."""
    client_id: str
    """Whom that server tells of it; no other attempt has the same."""
    started_ms: int | None = None
    """When the attempt began."""


@dataclass(frozen=True, slots=True)
class Job:
    """One accepted workflow. Times are milliseconds since the epoch."""

    id: JobId
    number: int | float
    """Place within a priority, smallest first; an int when the server's counter gave it, a float when a client did."""
    graph: bytes
    """JSON of the API-format graph, as it will be run and shown; bytes so that nothing encodes it twice."""
    targets: tuple[str, ...]
    """Ids of the output nodes to run."""
    fingerprint: str
    """Hash of the parsed graph and targets: equal for a repeated submission of the same work."""
    created_ms: int
    extra_data: dict[str, Any] = field(default_factory=dict)
    client_id: str | None = None
    user: str | None = None
    """Whose job it is; None on a server that does not tell its users apart."""
    priority: int = 0
    """Larger runs first."""
    timeout_s: float | None = None
    state: State = State.queued
    started_ms: int | None = None
    """Start of the latest attempt."""
    ended_ms: int | None = None
    attempt: int = 0
    """Number of the latest run, 0 before the first."""
    worker: str | None = None
    server_deaths: int = 0
    """How often the server died while this job ran."""
    worker_deaths: int = 0
    """How often its worker died while a node of this job ran."""
    workflow_name: str | None = None
    """Of the stored workflow that it was made from."""
    extra_json: bytes = field(default=b"", compare=False, repr=False)
    """JSON of `extra_data` where somebody has it already, else empty."""
    errand: Errand | None = None
    """Where its latest attempt may still be, on another server."""

    @property
    def size_bytes(self) -> int:
        """Bytes of what was submitted."""
        return len(self.graph) + len(self.extra_json)

    def all_extra_data(self) -> dict[str, Any]:
        """The extra data, also of a job that is `slim`."""
        extra_data: dict[str, Any] = self.extra_data or (from_json(self.extra_json) if self.extra_json else {})
        return extra_data

    def slim(self) -> Job:
        """The same job without its extra data, where they are large: parsed, they take several times their JSON."""
        return self if len(self.extra_json) <= _SMALL_BYTES else replace(self, extra_data={})


@dataclass(frozen=True, slots=True)
class JobResult:
    """What the end of a run left."""

    state: State
    """One of the states that end a job."""
    ended_ms: int
    outputs: dict[str, Any] = field(default_factory=dict)
    """Node id -> what the node shows (`{"images": [{"filename", "subfolder", "type"}]}`)."""
    meta: dict[str, Any] = field(default_factory=dict)
    """Node id -> where an expanded node belongs in the submitted graph."""
    messages: list[list[Any]] = field(default_factory=list)
    """`[event, data]` pairs of the run, without progress."""
    error: dict[str, Any] | None = None
    events: dict[str, Any] | None = None
    """What happened, numbered, to be stored; results that are read come without."""


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """One entry of the history."""

    job: Job
    result: JobResult


@dataclass(frozen=True, slots=True)
class Added:
    """The job is new and committed."""

    job: Job


@dataclass(frozen=True, slots=True)
class Existing:
    """A job of this id with the same work is known already; nothing was written."""

    job: Job


@dataclass(frozen=True, slots=True)
class Conflict:
    """A job of this id with other work is known already; nothing was written."""

    job: Job


AddOutcome = Added | Existing | Conflict


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs a listing shows; None means any."""

    user: str | None = None
    states: frozenset[State] | None = None
    workflow_id: str | None = None
    search: str | None = None
    """Part of a job id, client id, workflow id or name of a stored workflow, in any case."""
    workflow: str | None = None
    """Name of a stored workflow, with or without `.json`, or id of a UI workflow."""
    with_removed: bool = True
    """Also jobs that were taken out of the queue before they ran."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a listing, in which order; ties follow the order of arrival."""

    sort: Literal["created", "duration"] = "created"
    descending: bool = True
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job in a listing: everything but its graph, which makes up most of its bytes."""

    job: Job
    """Without what a listing does not show: `graph`, `targets`, `extra_data` and counts of deaths."""
    workflow_id: str | None
    outputs: dict[str, Any] | None
    """None until the job has ended."""
    error: dict[str, Any] | None
    last_message: list[Any] | None = None
    """`[event, data]` at the end of a run that failed."""


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """How long a run took that ended well."""

    end_order: int
    duration_ms: int
    graph: bytes


@dataclass(frozen=True, slots=True)
class EncodedRun:
    """A finished run as JSON documents that need not be read to be shown."""

    id: JobId
    number: int | float
    graph: bytes
    extra_data: bytes
    targets: bytes
    shown: bytes
    """What the `show_result` of the store made of the result."""


Shown = TypeVar("Shown")


@dataclass(frozen=True, slots=True)
class Listing(Generic[Shown]):
    """The beginning of a part of a listing, and where the rest of it lies."""

    first: list[Shown]
    rest: list[int]
    """Sequences of the jobs that follow."""
    total: int
    """How many jobs match in all, in whatever part."""


@dataclass(frozen=True, slots=True)
class JobPage:
    """A part of a listing and how many jobs match in all."""

    jobs: tuple[ListedJob, ...]
    total: int


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file that a finished job has written."""

    job_id: JobId
    node_id: str
    filename: str
    subfolder: str
    type: str
    """`output`, `input` or `temp`."""
