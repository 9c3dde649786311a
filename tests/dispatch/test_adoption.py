"""Jobs of an earlier process that may still be on other servers."""

from contextlib import asynccontextmanager

import orjson
import pytest

from inglenook.dispatch.bus import Bus
from inglenook.dispatch.dispatcher import Dispatcher
from inglenook.dispatch.needs import needs
from inglenook.jobs import Errand, Job, JobId, JobStore, State
from inglenook.workers.worker import Sent
from tests.dispatch.fake_worker import FakeWorker, document
from tests.dispatch.test_pool import PoolRecorder, PoolServer, until

A = {"A": document()}
GRAPH = orjson.dumps({"1": {"class_type": "A", "inputs": {}}})
ERRAND = Errand("far", "there", "client")


class FakeFarWorker(FakeWorker):
    """Knows what tests put into `known` (job id -> names), and says so when it comes up."""

    def __init__(self, name, documents=None, **options):
        super().__init__(name, documents, **options)
        self.expected, self.known, self.adopted, self.forgotten, self.let_go_of = {}, {}, {}, [], []

    def come_up(self, documents=None):
        self.documents = documents or self.documents
        self.is_up = True
        for job_id in list(self.expected):
            self.listener.worker_found(self, job_id, self.known.get(job_id))
        self.listener.worker_ready(self)

    def expect(self, attempts):
        self.expected.update(attempts)

    def adopt(self, request, sent):
        self.requests[request.job_id] = request
        self.adopted[request.job_id] = (request.attempt, sent)

    def forget(self, job_id, sent):
        self.forgotten.append((job_id, sent))

    def let_go(self, job_id):
        self.let_go_of.append(job_id)
        return True


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'jobs.sqlite'}"


async def leave_behind(url, *job_ids, errand=ERRAND):
    """A front that is killed while another server has these jobs; `w` waits behind them."""
    async with JobStore.open(url) as store:
        for number, job_id in enumerate((*job_ids, "w")):
            await store.add(Job(JobId(job_id), number, GRAPH, ("1",), job_id, 1))
            if job_id != "w":
                await store.claim(JobId(job_id), "far", 1, started_ms=77, errand=errand)


@asynccontextmanager
async def front(url, *workers, hold_s=30.0):
    bus, recorder = Bus(), PoolRecorder()
    bus.join(recorder)
    async with JobStore.open(url) as store:
        dispatcher = Dispatcher(store, bus, [], hold_s=hold_s)
        await dispatcher.recover(lambda job: needs(["A"], [], [], "A"))
        await dispatcher.start()
        for worker in workers:
            await dispatcher.add_worker(worker)
        dispatcher.all_added()
        try:
            yield PoolServer(store, dispatcher, recorder)
        finally:
            await dispatcher.close(0)


async def test_a_job_waits_for_its_server_while_others_of_its_kind_start(url):
    await leave_behind(url, "a")
    far, near = FakeFarWorker("far"), FakeWorker("near", A)
    async with front(url, far, near) as server:
        await until(lambda: near.taken == ["w"])
        assert far.expected == {"a": Sent("there", "client")}
        far.known = {"a": Sent("other id", "client")}
        far.come_up(A)
        assert far.adopted == {"a": (1, Sent("other id", "client"))}
        assert [run.job.id for run in server.dispatcher.running()] == ["w", "a"]
        far.finish("a")
        near.finish("w")
        await until(lambda: not server.dispatcher.running())
        job = await server.store.get("a")
        assert (job.state, job.attempt, job.started_ms, job.errand) == (State.succeeded, 1, 77, None)
        assert near.taken == ["w"]


async def test_an_adopted_job_is_held_again_when_the_front_dies_again(url):
    await leave_behind(url, "a")
    async with JobStore.open(url) as store:
        await store.recover()
        assert await store.claim(JobId("a"), "far", 1, errand=ERRAND, is_adopted=True)
    far = FakeFarWorker("far", A)
    far.known = {"a": Sent("there", "client")}
    async with front(url, far):
        await until(lambda: "a" in far.adopted)


async def test_a_job_that_its_server_does_not_know_keeps_its_place(url):
    await leave_behind(url, "a")
    far = FakeFarWorker("far", A)
    async with front(url, far) as server:
        await until(lambda: far.taken == ["a"])
        assert far.requests["a"].attempt == 2
        assert (await server.store.get("a")).server_deaths == 1


async def test_a_server_that_stays_away_loses_the_job_to_another_and_is_told_to_stop_it(url):
    await leave_behind(url, "a")
    far, near = FakeFarWorker("far"), FakeWorker("near", A, capacity=2)
    async with front(url, far, near, hold_s=0.0) as server:
        await until(lambda: set(near.taken) == {"a", "w"})
        assert far.forgotten == [("a", Sent("there", "client"))]
        far.known = {"a": Sent("there", "client")}
        far.come_up(A)
        assert far.adopted == {}
        near.finish("a")
        await until(lambda: server.dispatcher.find("a").is_committed)


async def test_a_server_that_is_late_goes_on_where_no_other_has_begun(url):
    await leave_behind(url, "a")
    far = FakeFarWorker("far")
    async with front(url, far, hold_s=0.0) as server:
        await until(lambda: not server.dispatcher.find("a").is_held)
        far.known = {"a": Sent("there", "client")}
        far.come_up(A)
        assert far.adopted.keys() == {"a"}


async def test_a_job_of_a_server_that_is_not_in_the_pool_waits_for_nobody(url):
    await leave_behind(url, "a")
    near = FakeWorker("near", A, capacity=2)
    async with front(url, near):
        await until(lambda: set(near.taken) == {"a", "w"})


async def test_a_held_job_that_is_cancelled_is_stopped_there(url):
    await leave_behind(url, "a")
    far = FakeFarWorker("far")
    async with front(url, far) as server:
        assert await server.dispatcher.cancel_waiting(["a"]) == ["a"]
        assert far.forgotten == [("a", Sent("there", "client"))]
        assert await server.state("a") is State.cancelled
        far.known = {"a": Sent("there", "client")}
        far.come_up(A)
        assert far.adopted == {}


async def test_a_removed_server_is_waited_for_no_longer(url):
    await leave_behind(url, "a")
    far, near = FakeFarWorker("far"), FakeWorker("near", A, capacity=2)
    async with front(url, far, near) as server:
        await server.dispatcher.remove_worker("far")
        await until(lambda: "a" in near.taken)


async def test_where_an_attempt_goes_is_in_the_store_before_the_worker_may_send_it(url):
    far = FakeFarWorker("far", A)
    async with front(url, far) as server:
        await server.submit("a", "A")
        await until(lambda: "a" in far.requests)
        assert await server.dispatcher.worker_sends(far, "a", 1, Sent("one", "client"))
        job = await server.store.get("a")
        assert (job.state, job.errand.prompt_id) == (State.running, "one")
        assert await server.dispatcher.worker_sends(far, "a", 1, Sent("two", "client"))
        assert (await server.store.get("a")).errand.prompt_id == "two"
        assert not await server.dispatcher.worker_sends(far, "a", 2, Sent("late", "client"))
        assert not await server.dispatcher.worker_sends(far, "unknown", 1, Sent("late", "client"))


async def test_an_orderly_stop_leaves_jobs_to_their_server_and_the_next_start_goes_on(url):
    far = FakeFarWorker("far", A, capacity=2)
    async with front(url, far) as server:
        for job_id in ("sent", "not sent"):
            await server.submit(job_id, "A")
        await until(lambda: len(far.requests) == 2)
        await server.dispatcher.worker_sends(far, "sent", 1, Sent("there", "client"))
    assert far.let_go_of == ["sent"]
    again = FakeFarWorker("far", A, capacity=2)
    again.known = {"sent": Sent("there", "client")}
    async with front(url, again) as server:
        await until(lambda: "not sent" in again.taken)
        assert again.adopted == {"sent": (1, Sent("there", "client"))}
        assert server.dispatcher.find("sent").job.server_deaths == 0
