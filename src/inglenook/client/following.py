"""Reads the life of one job out of what a server tells; no I/O, so both clients and every server share it.

A socket may carry other jobs' messages, miss some while it is down, or repeat some after it is back; the history knows
the end. What comes out is one job's events, its end once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inglenook.client.errors import ClientError, JobFailed, JobInterrupted
from inglenook.client.events import (
    Event,
    JobEnd,
    JobFailure,
    JobInterruption,
    JobLeft,
    JobStarted,
    JobSucceeded,
    NodeOutput,
    QueueStatus,
)
from inglenook.client.types import HistoryEntry


class Following:
    """One job as far as it is known; feed it messages and history entries, it returns the events that are news."""

    def __init__(self, prompt_id: str) -> None:
        self.prompt_id = prompt_id
        self.end: JobEnd | None = None
        self.is_over = False
        """The end is known and so are the outputs: nothing more will come."""
        self.has_left = False
        """The server is done with it; without an `end`, only the history tells how it went."""
        self._has_started = False
        self._is_running = False
        self._outputs: dict[str, Mapping[str, Any]] = {}

    def feed(self, event: Event) -> list[Event]:
        """Take one message of the socket."""
        if self.is_over or not self._is_ours(event):
            return []
        self._is_running = self._is_running or event.prompt_id is not None
        match event:
            case JobStarted():
                was_started, self._has_started = self._has_started, True
                return [] if was_started else [event]
            case NodeOutput():
                return self._news(event)
            case JobSucceeded() | JobInterruption():
                return self._ended(event)
            case JobFailure() if event.ends_job:
                return self._ended(event)
            case JobLeft():
                self.has_left = True
                self.is_over = self.end is not None
                return []
        return [event]

    def catch_up(self, entry: HistoryEntry) -> list[Event]:
        """Take the job's history entry: its end, and the outputs that the socket did not tell."""
        if self.is_over:
            return []
        self.is_over = True
        outputs = [NodeOutput(self.prompt_id, node, node, output) for node, output in entry.outputs.items()]
        news = [event for output in outputs for event in self._news(output)] if self.end is None else []
        return news + self._ended(_end(entry))

    def _is_ours(self, event: Event) -> bool:
        if event.prompt_id is not None:
            return event.prompt_id == self.prompt_id
        # Without an id it belongs to whatever runs: messages of old servers, and pictures without a description.
        return self._is_running or isinstance(event, QueueStatus)

    def _news(self, event: NodeOutput) -> list[Event]:
        if self._outputs.get(event.node) == event.output:
            return []
        self._outputs[event.node] = event.output
        return [event]

    def _ended(self, event: JobEnd) -> list[Event]:
        if self.end is not None:
            return []
        self.end = event
        self._is_running = False
        return [event]


def _end(entry: HistoryEntry) -> JobEnd:
    for event in reversed(entry.events):
        if isinstance(event, JobEnd) and not (isinstance(event, JobFailure) and not event.ends_job):
            return event
    if entry.completed and entry.status == "success":
        return JobSucceeded(entry.prompt_id)
    return JobFailure(entry.prompt_id, "", "", f"the server recorded {entry.status!r} without a reason", "")


def failure_of(prompt_id: str, end: JobEnd) -> ClientError | None:
    """Return what to raise for a job's end; None when it succeeded."""
    match end:
        case JobFailure():
            return JobFailed(
                prompt_id,
                node_id=end.node,
                node_type=end.node_type,
                exception_message=end.exception_message,
                exception_type=end.exception_type,
                traceback=end.traceback,
            )
        case JobInterruption():
            return JobInterrupted(prompt_id, end.node)
        case JobSucceeded():
            return None
