"""`task_update` messages: what becomes of jobs, in the gateway's words, for clients that watch all of them.

`{"type": "task_update", "task_id", "status", "progress", "node", "timestamp", ...}`, fields at the top level. `status`
is pending, running, success, error, cancelled or timeout; `progress` the percentage of the whole job. At the end come
`outputs` (node id -> what it shows) and, if it failed, `error` (`node_id`, `message`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from inglenook.api.comfy.entries import SHORT_STATUS, shown_outputs
from inglenook.api.comfy.messages import json_message
from inglenook.api.comfy.outgoing import Outgoing
from inglenook.dispatch.progress import nodes_to_run
from inglenook.dispatch.run import Run
from inglenook.engine.events import AnyEvent, Cached, NodeDone, NodeStarted, Progress
from inglenook.jobs import JobResult, State

INTERVAL_S = 0.2
"""Progress of one job is told at most this often."""


class TaskUpdates:
    """Renders the updates of all jobs; remembers how far the running ones are."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._progress: dict[str, _JobProgress] = {}

    def changed(self, run: Run) -> Outgoing:
        """A job has come to wait or to run."""
        if run.job.state is State.queued:
            self._progress.pop(run.job.id, None)
        return _update(run.job.id, run.job.state, 0.0)

    def went_on(self, run: Run, events: Iterable[AnyEvent]) -> Outgoing | None:
        """Something happened in a run; None when it need not be told now."""
        if run.job.state is not State.running:
            return None
        progress = self._progress.get(run.job.id)
        if progress is None or progress.attempt != run.job.attempt:
            progress = self._progress[run.job.id] = _JobProgress(run)
        progress.take(events)
        if not progress.has_changed or self._clock() - progress.told_at < INTERVAL_S:
            return None
        progress.told_at = self._clock()
        progress.has_changed = False
        return _update(run.job.id, State.running, progress.percent, progress.node)

    def ended(self, run: Run) -> Outgoing:
        """A job is over."""
        progress = self._progress.pop(run.job.id, None)
        result = run.result or JobResult(run.job.state, run.job.ended_ms or 0)
        percent = 100.0 if result.state is State.succeeded else 0.0 if progress is None else progress.percent
        more: dict[str, Any] = {"outputs": shown_outputs(result)}
        if result.error is not None:
            more["error"] = result.error
        return _update(run.job.id, result.state, percent, **more)

    def cancelled(self, run: Run) -> Outgoing:
        """A job was taken out of the queue."""
        return _update(run.job.id, State.cancelled, 0.0, outputs={})

    def forget(self, job_id: str) -> None:
        """Nobody is told of this job any more."""
        self._progress.pop(job_id, None)


class _JobProgress:
    """How far a run is: the share of its nodes that are done, and of the one that runs."""

    def __init__(self, run: Run) -> None:
        self.attempt = run.job.attempt
        self.percent = 0.0
        self.node: str | None = None
        self.told_at = float("-inf")
        self.has_changed = False
        self._nodes = nodes_to_run(run.job.graph, run.job.targets)
        self._done: set[str] = set()
        if run.cached is not None:  # the first who watches has come in the middle of it
            self._done.update(self._nodes.intersection(run.cached.nodes))

    def take(self, events: Iterable[AnyEvent]) -> None:
        share = 0.0
        for event in events:
            match event:
                case Cached(nodes=nodes):
                    self._done.update(self._nodes.intersection(nodes))
                case NodeStarted(node=node):
                    share, self.node = 0.0, node.display_id
                case Progress(node=node, value=value, total=total):
                    share = min(max(value / total, 0.0), 1.0) if total > 0 else 0.0
                    self.node = node.display_id
                case NodeDone(node=node):
                    share = 0.0
                    if node.node_id in self._nodes:
                        self._done.add(node.node_id)
                case _:
                    continue
            self.has_changed = True
        done = (len(self._done) + share) / max(len(self._nodes), 1)
        self.percent = max(self.percent, min(round(100 * done, 1), 99.9))


def _update(job_id: str, state: State, percent: float, node: str | None = None, **more: Any) -> Outgoing:
    data = {
        "type": "task_update",
        "task_id": job_id,
        "status": SHORT_STATUS[state],
        "progress": percent,
        "node": node,
        "timestamp": time.time_ns() // 1_000_000,
        **more,
    }
    return json_message(data)
