"""A worker in memory: tests say when its jobs end, and when it dies."""

from __future__ import annotations

import time

from inglenook.engine.events import Interrupted, NodeRef, Started, Succeeded
from inglenook.workers.worker import Cause, Death, WorkerState


def document(**combos):
    """An interface document with these lists of choices."""
    return {"input": {"required": {name: [choices] for name, choices in combos.items()}}, "output": []}


class FakeWorker:
    """Keeps the protocol of `workers.worker.Worker`, with `capacity` as remote ones have it."""

    devices = packs = replacements = model_folders = ()
    routes_at = None
    rewrites_prompts = False
    problem = None
    has_queue = False

    def __init__(self, name, documents=None, *, capacity=1, url=None):
        self.name, self.documents, self.capacity, self.url = name, documents, capacity, url
        self.requests = {}
        self.taken = []
        self.interrupted = []
        self.is_up = self.is_closed = False
        self.listener = None

    @property
    def running(self):
        return len(self.requests)

    @property
    def state(self):
        if not self.is_up:
            return WorkerState.STARTING
        return WorkerState.READY if self.running < self.capacity else WorkerState.BUSY

    async def start(self, listener):
        self.listener = listener
        if self.documents is not None:
            self.come_up()

    async def close(self):
        self.is_up, self.is_closed = False, True

    def come_up(self, documents=None):
        self.documents = documents or self.documents
        self.is_up = True
        self.listener.worker_ready(self)

    def execute(self, request):
        assert self.state is WorkerState.READY
        self.requests[request.job_id] = request
        self.taken.append(request.job_id)

    def begin(self, job_id, time_ms=None):
        """Tell that a job has left the queue of the server."""
        request = self.requests[job_id]
        self.listener.worker_events(self, job_id, request.attempt, [Started(time_ms or time.time_ns() // 1_000_000)])

    def stop(self, job_id):
        request = self.requests.pop(job_id)
        end = Interrupted("", "", [], {}, {}, time.time_ns() // 1_000_000)
        self.listener.worker_events(self, job_id, request.attempt, [end])

    def finish(self, job_id):
        request = self.requests.pop(job_id)
        now_ms = time.time_ns() // 1_000_000
        events = [Started(now_ms), Succeeded({}, {}, now_ms + 5000)]
        self.listener.worker_events(self, job_id, request.attempt, events)

    def refuse(self, job_id, reason="no"):
        """The server does not take the graph, and is free again."""
        request = self.requests.pop(job_id)
        node = NodeRef("0", "0", None, "0")
        self.listener.worker_died(self, job_id, request.attempt, Death(Cause.REFUSED, reason, node))

    def lose(self, *, comes_back=False):
        """The server is gone, and everything that it ran."""
        self.is_up = False
        requests, self.requests = self.requests, {}
        for job_id, request in requests.items():
            self.listener.worker_died(self, job_id, request.attempt, Death(Cause.LOST, "no answer"))
        if comes_back:
            self.come_up()

    async def ask(self, question, timeout_s, *, late=None):
        return None

    def interrupt(self, job_id):
        self.interrupted.append(job_id)

    def free(self, *, unload_models, free_memory):
        pass
