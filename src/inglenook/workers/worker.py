"""What the dispatcher asks of anything that runs graphs: a device process, a remote server, a Ray actor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from inglenook.engine.events import AnyEvent, NodeRef
from inglenook.engine.replacement import NodeReplacement
from inglenook.packs.report import PackReport
from inglenook.workers.messages import Device, ModelFolderAdded, Question


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
    ask_validators: bool = False
    """The classes' own validators could not be asked when the job was accepted."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Under which names a server has an attempt that goes on when this process ends."""

    prompt_id: str
    client_id: str
    """Whom the server tells of it; no other attempt has the same."""


class Cause(StrEnum):
    """Why a worker process ended while it ran a job."""

    CRASH = "crash"
    CANCEL = "cancel"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    LOST = "lost"
    """A remote server went away, or did not do what it said: the server is to blame, not the job."""
    REFUSED = "refused"
    """A remote server does not take the graph; another one may."""


@dataclass(frozen=True, slots=True)
class Death:
    """How a worker process, or its part in a job, ended."""

    cause: Cause
    reason: str
    """For people: "killed by signal 9 (SIGKILL)", "exit code 3", ..."""
    node: NodeRef | None = None
    """The node that it ran, where that is known better than from its events."""


class WorkerListener(Protocol):
    """Who hears what a worker does; all calls come on the event loop."""

    def worker_ready(self, worker: Worker) -> None:
        """The worker can take a job (again)."""

    def worker_events(self, worker: Worker, job_id: str, attempt: int, events: Sequence[AnyEvent]) -> None:
        """Things happened in a job; the last one of a run is its end, after which the worker is free."""

    def worker_died(self, worker: Worker, job_id: str | None, attempt: int, death: Death) -> None:
        """The process ended; `job_id` is the job that it ran. A new process is started without being asked."""

    def worker_notice(self, worker: Worker, name: str, data: Any, client_id: str | None) -> None:
        """A node pack sends a message outside a run: to one client, or to all."""

    def worker_sends(self, worker: FarWorker, job_id: str, attempt: int, sent: Sent) -> Awaitable[bool]:
        """The attempt is about to go to a server under these names, or is there under another id than was asked for.

        Done when that is written down; False when the attempt is not wanted any more.
        """

    def worker_found(self, worker: FarWorker, job_id: str, sent: Sent | None) -> None:
        """An attempt of an earlier process is on the server under these names; None: it is not there."""


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

    @property
    def packs(self) -> Sequence[PackReport]:
        """What became of its node packs."""

    @property
    def replacements(self) -> Sequence[NodeReplacement]:
        """Node classes that its packs replace by others."""

    @property
    def model_folders(self) -> Sequence[ModelFolderAdded]:
        """Model folders that its packs registered."""

    @property
    def routes_at(self) -> str | None:
        """Unix socket where the routes of its packs are served; None where there are none now."""

    @property
    def has_queue(self) -> bool:
        """Whether a job that was begun waits there among those of others until its `Started` is told."""

    @property
    def rewrites_prompts(self) -> bool:
        """Whether its packs want to see each prompt."""

    async def start(self, listener: WorkerListener) -> None: ...

    async def close(self) -> None: ...

    def execute(self, request: Request) -> None:
        """Begin a job; only when READY."""

    async def ask(
        self, question: Question, timeout_s: float, *, late: Callable[[bytes], None] | None = None
    ) -> bytes | None:
        """Ask beside the run; None when there is no answer in time. late: is told an answer that comes later."""

    def interrupt(self, job_id: str) -> None:
        """Stop the job if it runs here; asked a second time, by force."""

    def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """Give memory back after the current run."""


@runtime_checkable
class FarWorker(Worker, Protocol):
    """A worker whose attempts go on when this process ends, and can be taken up by the next one."""

    def expect(self, attempts: Mapping[str, Sent]) -> None:
        """Look for attempts at these jobs as soon as the server answers: `worker_found` is told of each."""

    def adopt(self, request: Request, sent: Sent) -> None:
        """Go on with an attempt that was found."""

    def forget(self, job_id: str, sent: Sent) -> None:
        """An expected attempt is not wanted any more: stop it there, also when the server is back much later."""

    def let_go(self, job_id: str) -> bool:
        """Leave a job to the server, for the next process to find; False when that would not find it."""
