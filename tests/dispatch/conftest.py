"""A dispatcher with a real store and a real child process of toy nodes."""

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from inglenook.dispatch.bus import Bus
from inglenook.dispatch.dispatcher import Dispatcher
from inglenook.jobs import Job, JobStore
from inglenook.workers.device import DeviceWorker
from tests.databases import url_of

TOY = (sys.executable, str(Path(__file__).parent.parent / "toy_child.py"))


class Recorder:
    """Hears everything and lets a test wait for it."""

    def __init__(self):
        self.seen = []
        self.remaining = []
        self._changed = asyncio.Event()

    def _note(self, item):
        self.seen.append(item)
        self._changed.set()

    def run_events(self, run, events):
        for event in events:
            self._note((run.job.id, type(event).__name__, event))

    def run_left(self, run):
        self._note((run.job.id, "Left", None))

    def notice(self, name, data, client_id):
        self._note((None, name, data))

    def queue_changed(self, remaining, run):
        self.remaining.append(remaining)

    def names(self, job_id):
        return [name for of, name, _ in self.seen if of == job_id and name != "Progress"]

    async def until(self, job_id, name="Left"):
        async with asyncio.timeout(60):
            while True:
                for of, kind, event in self.seen:
                    if (of, kind) == (job_id, name):
                        return event
                self._changed.clear()
                await self._changed.wait()


class Server:
    """A dispatcher, its store and one worker, as the API process has them."""

    def __init__(self, store, dispatcher, recorder, worker):
        self.store, self.dispatcher, self.recorder, self.worker = store, dispatcher, recorder, worker

    async def submit(self, job_id, *nodes, **fields):
        graph = {str(i): {"class_type": kind, "inputs": inputs} for i, (kind, inputs) in enumerate(nodes)}
        job = Job(
            id=job_id,
            number=fields.pop("number", self.dispatcher.next_number()),
            graph=orjson.dumps(graph),
            targets=tuple(graph),
            fingerprint=job_id,
            created_ms=1,
            **fields,
        )
        return await self.dispatcher.submit(job, frozenset(kind for kind, _ in nodes), {})


@asynccontextmanager
async def running_server(folder, *, grace_s=0.3, shutdown_s=5.0, memory_mb=None, **settings):
    worker = DeviceWorker(
        "toy",
        b"{}",
        interrupt_grace_s=grace_s,
        memory_limit_bytes=memory_mb and memory_mb << 20,
        command=TOY,
    )
    bus, recorder = Bus(), Recorder()
    bus.join(recorder)
    async with JobStore.open(url_of(folder)) as store:
        dispatcher = Dispatcher(store, bus, [worker], **settings)
        classes = lambda job: frozenset(node["class_type"] for node in orjson.loads(job.graph).values())  # noqa: E731
        await dispatcher.recover(classes)
        await dispatcher.start()
        try:
            yield Server(store, dispatcher, recorder, worker)
        finally:
            await dispatcher.close(shutdown_s)


@pytest.fixture
async def server(tmp_path):
    async with running_server(tmp_path) as running:
        yield running
