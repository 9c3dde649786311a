"""A job while the dispatcher has it: what has happened so far, kept for clients that arrive late."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from inglenook.dispatch.event_log import EventLog
from inglenook.dispatch.needs import Needs
from inglenook.engine.events import (
    AnyEvent,
    Blocked,
    Cached,
    End,
    Failed,
    Interrupted,
    NodeDone,
    NodeRef,
    NodeStarted,
    Progress,
    Started,
    Succeeded,
)
from inglenook.jobs import Errand, Job, JobResult

END_EVENTS = (Succeeded, Failed, Interrupted)


@dataclass(slots=True)
class Run:
    """One job from its acceptance until a minute after its end."""

    job: Job
    needs: Needs
    secrets: dict[str, Any] = field(default_factory=dict)
    """Part of extra_data that is never stored; lost when the server restarts."""
    ask_validators: bool = False
    """Node classes have validators of their own that were not asked when the job was accepted."""
    worker: str | None = None
    waits_there: bool = False
    """A server has it, in its own queue: it has not begun."""
    seated_at: str = ""
    """The worker that has it now, as the pool counts."""
    lost_on: frozenset[str] = frozenset()
    """Remote servers that were lost while they had it."""
    refused_by: dict[str, str] = field(default_factory=dict)
    """Remote servers that did not take its graph -> what they said."""
    overtaken: int = 0
    """By how many later jobs; see `placement`."""
    held_since: float | None = None
    """Since when a worker is left idle that could run it, on the event loop's clock."""
    claim_timer: asyncio.TimerHandle | None = None
    """Set while the attempt is not written down yet."""
    is_claimed: bool = False
    """The store knows of this attempt."""
    errand: Errand | None = None
    """Where the attempt was sent, or, while the job waits, where that of an earlier process may still be."""
    is_held: bool = False
    """It waits for the server of its errand alone."""
    is_adopted: bool = False
    """The attempt was begun by an earlier process."""
    is_told: bool = False
    """The bus has heard of this attempt; before, a client that comes late has missed nothing."""
    also_for: set[str] = field(default_factory=set)
    """Further clients that submitted the same job and want to hear of it."""
    is_cancelled: bool = False
    result: JobResult | None = None
    """How it ended, once it has."""
    listed: tuple[bytes, ...] | None = None
    """How the queue shows the job, for whoever made it to find again."""
    is_committed: bool = False
    """The end is in the store and has been told."""
    is_heard: bool = False
    """A client heard the end and went away in order: who comes late need not be told again."""
    left_at: float = 0.0
    """When it was told that the run is over, on the event loop's clock."""
    is_deleted: bool = False
    """The history no longer has it."""
    started: Started | None = None
    cached: Cached | None = None
    done: list[NodeDone] = field(default_factory=list)
    """Finished nodes that have something to show."""
    blocked: list[Blocked] = field(default_factory=list)
    current: NodeRef | None = None
    """The node that runs, while one does."""
    finished: set[str] = field(default_factory=set)
    """Ids of the nodes that are done."""
    progress: Progress | None = None
    end: End | None = None
    log: EventLog = field(default_factory=EventLog)
    plan: Any = None
    """`progress.Plan`, once somebody has asked how far it is."""
    work: Any = None
    """`durations.Work`, once somebody has asked how long it takes."""

    @property
    def class_types(self) -> frozenset[str]:
        return self.needs.class_types

    @property
    def level(self) -> tuple[int, bool]:
        """Jobs of one level may overtake each other: of one priority, and not those that were put in front."""
        return (self.job.priority, self.job.number < 0)

    @property
    def client_ids(self) -> set[str]:
        """Everybody who is told of this run."""
        return self.also_for if self.job.client_id is None else {self.job.client_id, *self.also_for}

    def begin_attempt(self, job: Job, worker: str) -> None:
        """Forget what an earlier attempt did."""
        self.job = job
        self.worker = worker
        self.is_claimed = self.is_told = self.is_cancelled = self.is_held = self.is_adopted = False
        self.errand = None
        self.started = self.cached = self.current = self.progress = self.end = None
        self.done = []
        self.finished = set()
        self.blocked = []
        if not self.waits_there:
            self.tell_running()

    def tell_running(self) -> None:
        """The attempt runs: for who reads the events of the job."""
        self.log.add_state("running", attempt=self.job.attempt, worker=self.job.worker)
        self.log.tell()

    @property
    def is_pending(self) -> bool:
        """It waits on a server, and nobody has cancelled it."""
        return self.waits_there and self.end is None and not self.is_cancelled

    def record(self, events: Sequence[AnyEvent]) -> None:
        """Take note of events, in order."""
        self.log.record(events)
        for event in events:
            match event:
                case NodeStarted(node=node):
                    self.current = node
                case NodeDone():
                    self.finished.add(event.node.node_id)
                    if self.current is not None and self.current.node_id == event.node.node_id:
                        self.current = None
                    if event.output is not None and event.show:
                        self.done.append(event)
                case Progress():
                    self.progress = event
                case Started():
                    self.started = event
                case Cached():
                    self.cached = event
                case Blocked():
                    self.blocked.append(event)
                case Succeeded() | Failed() | Interrupted():
                    self.end = event
                    self.current = None
                case _:
                    pass

    def kept_messages(self) -> list[list[Any]]:
        """The run without progress, as the store keeps it: `[event name, fields]`, times in milliseconds."""
        kept: list[AnyEvent] = [event for event in (self.started, self.cached, *self.blocked, self.end) if event]
        messages = []
        for event in kept:
            fields = msgspec.to_builtins(event)
            name = fields.pop("type")
            for stored_elsewhere in ("outputs", "meta"):
                fields.pop(stored_elsewhere, None)
            messages.append([name, fields])
        return messages
