"""What the dispatcher asks of anything that runs graphs: a device process, a remote server, a Ray actor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from inglenook.engine.events import AnyEvent
from inglenook.workers.messages import Device


class WorkerState(StrEnum):
    """Where a worker stands."""

    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt at a job."""

    job_id: str
    attempt: int
    graph: bytes
    outputs: tuple[str, ...]
    extra_data: Mapping[str, Any]
    timeout_s: float | None


class Cause(StrEnum):
    """Why a worker process ended while it ran a job."""

    CRASH = "crash"
    CANCEL = "cancel"
    TIMEOUT = "timeout"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Death:
    """How a worker process ended."""

    cause: Cause
    reason: str
    """For people: "killed by signal 9 (SIGKILL)", "exit code 3", ..."""


class WorkerListener(Protocol):
    """Who hears what a worker does; all calls come on the event loop."""

    def worker_ready(self, worker: Worker) -> None:
        """The worker can take a job (again)."""

    def worker_events(self, worker: Worker, job_id: str, attempt: int, events: Sequence[AnyEvent]) -> None:
        """Things happened in a job; the last one of a run is its end, after which the worker is free."""

    def worker_died(self, worker: Worker, job_id: str | None, attempt: int, death: Death) -> None:
        """The process ended; `job_id` is the job that it ran. A new process is started without being asked."""


class Worker(Protocol):
    """Runs one job at a time."""

    @property
    def name(self) -> str: ...

    @property
    def state(self) -> WorkerState: ...

    @property
    def documents(self) -> Mapping[str, Any] | None:
        """Interface documents of the classes it knows, once it has been ready."""

    @property
    def devices(self) -> Sequence[Device]: ...

    async def start(self, listener: WorkerListener) -> None: ...

    async def close(self) -> None: ...

    def execute(self, request: Request) -> None:
        """Begin a job; only when READY."""

    def interrupt(self, job_id: str) -> None:
        """Stop the job if it runs here; asked a second time, by force."""

    def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """Give memory back after the current run."""
