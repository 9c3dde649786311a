"""Counts jobs, nodes and requests, and watches the event loop. Since the server started; nothing is stored."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import orjson

from inglenook.api.telemetry.exposition import Counter, Histogram
from inglenook.dispatch.run import Run
from inglenook.engine.events import AnyEvent, Cached, NodeDone, NodeStarted

_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1200.0)
_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
_WATCH_EVERY_S = 0.5
_LAGS_KEPT = 20
_MOST_UNNAMED = 2000

_Timed = tuple[bytes, list[tuple[str, float]]]
"""A graph, and how long each of its nodes took, by node id."""


class Telemetry:
    """Listens to the bus; `requests.py` tells it of requests."""

    def __init__(self) -> None:
        self.started_s = time.time()
        self.jobs = Counter("inglenook_jobs_total", "Jobs that have ended, by state", ("state",))
        self.retries = Counter("inglenook_job_retries_total", "Attempts lost because the process died")
        self.job_seconds = Histogram(
            "inglenook_job_duration_seconds", "From the start of a job's last attempt to its end", _SECONDS, ("state",)
        )
        self.wait_seconds = Histogram(
            "inglenook_job_wait_seconds", "From the acceptance of a job to the start of its last attempt", _SECONDS
        )
        self.node_seconds = Histogram(
            "inglenook_node_duration_seconds", "Runs of nodes, by class", _SECONDS, ("class_type",)
        )
        self.cached_nodes = Counter("inglenook_nodes_cached_total", "Nodes whose results were known already")
        self.requests = Counter(
            "inglenook_http_requests_total", "Requests, by route and status", ("method", "route", "status")
        )
        self.request_seconds = Histogram(
            "inglenook_http_request_duration_seconds", "Until an answer was sent whole", _REQUEST_SECONDS, ("route",)
        )
        self._running: dict[str, tuple[str, float]] = {}
        """Job -> the node that it runs and since when."""
        self._timed: dict[str, list[tuple[str, float]]] = {}
        self._unnamed: deque[_Timed] = deque(maxlen=_MOST_UNNAMED)
        """Of ended jobs: graphs are read later, in a thread."""
        self._lags: deque[float] = deque(maxlen=_LAGS_KEPT)
        self._watching: asyncio.Task[None] | None = None

    @property
    def uptime_s(self) -> float:
        return time.time() - self.started_s

    @property
    def loop_lag_s(self) -> float:
        """The longest that the event loop was late in the last ten seconds."""
        return max(self._lags, default=0.0)

    def start(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _WATCH_EVERY_S
            await asyncio.sleep(_WATCH_EVERY_S)
            self._lags.append(max(0.0, loop.time() - due))
            await self.settle()

    async def settle(self) -> None:
        """Count the nodes of jobs that have ended, by the class that their graphs give them."""
        if self._unnamed:
            waiting = list(self._unnamed)
            self._unnamed.clear()
            for class_type, seconds in await asyncio.to_thread(_named, waiting):
                self.node_seconds.observe(seconds, class_type)

    # -- the bus -------------------------------------------------------------------------------------------------------

    def run_events(self, run: Run, events: Sequence[AnyEvent]) -> None:
        job_id = run.job.id
        now = time.monotonic()
        for event in events:
            match event:
                case NodeStarted(node=node):
                    self._running[job_id] = (node.node_id, now)
                case NodeDone(node=node, cached=False):
                    node_id, since = self._running.pop(job_id, ("", now))
                    if node_id == node.node_id:
                        self._timed.setdefault(job_id, []).append((node.real_id, now - since))
                case Cached(nodes=nodes):
                    self.cached_nodes.add(amount=len(nodes))
                case _:
                    pass

    def run_left(self, run: Run) -> None:
        job = run.job
        self._running.pop(job.id, None)
        if timed := self._timed.pop(job.id, None):
            self._unnamed.append((job.graph, timed))
        self.jobs.add(job.state.value)
        if job.started_ms is not None and job.ended_ms is not None:
            self.job_seconds.observe(max(0, job.ended_ms - job.started_ms) / 1000, job.state.value)
            self.wait_seconds.observe(max(0, job.started_ms - job.created_ms) / 1000)

    def run_retried(self, run: Run, reason: str) -> None:
        self.retries.add()
        self._running.pop(run.job.id, None)
        self._timed.pop(run.job.id, None)

    def runs_cancelled(self, runs: Sequence[Run]) -> None:
        for _ in runs:
            self.jobs.add("cancelled")

    def queue_changed(self, remaining: int, run: Run | None) -> None: ...

    def notice(self, name: str, data: Any, client_id: str | None) -> None: ...


def _named(waiting: Sequence[_Timed]) -> list[tuple[str, float]]:
    """Class and time of each node."""
    found = []
    for graph, timed in waiting:
        nodes = orjson.loads(graph)
        for node_id, seconds in timed:
            class_type = nodes.get(node_id, {}).get("class_type")
            found.append((class_type if isinstance(class_type, str) else "unknown", seconds))
    return found
