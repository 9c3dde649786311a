"""A dispatcher over several workers that come, go, and have different things."""

import asyncio
from contextlib import asynccontextmanager

import orjson
import pytest

from inglenook.dispatch.bus import Bus
from inglenook.dispatch.dispatcher import MAX_LOST_ATTEMPTS, Dispatcher
from inglenook.dispatch.needs import needs
from inglenook.dispatch.pool import Members, NameTaken
from inglenook.dispatch.run import Run
from inglenook.jobs import Job, JobStore, State
from tests.databases import url_of
from tests.dispatch.conftest import Recorder
from tests.dispatch.fake_worker import FakeWorker, document

A, B = {"A": document()}, {"B": document()}


class PoolRecorder(Recorder):
    def __init__(self):
        super().__init__()
        self.retried = []

    def run_retried(self, run, reason):
        self.retried.append((run.job.id, reason))
        self._note((run.job.id, "Retried", None))

    def runs_cancelled(self, runs):
        pass


class PoolServer:
    def __init__(self, store, dispatcher, recorder):
        self.store, self.dispatcher, self.recorder = store, dispatcher, recorder

    async def submit(self, job_id, *class_types, choices=(), files=()):
        graph = {str(i): {"class_type": name, "inputs": {}} for i, name in enumerate(class_types)}
        job = Job(job_id, self.dispatcher.next_number(), orjson.dumps(graph), tuple(graph), job_id, 1)
        asked = needs(class_types, choices, [(name, 1.0) for name in files], "".join(class_types))
        await self.dispatcher.submit(job, asked, {})

    async def state(self, job_id):
        return (await self.store.get(job_id)).state


@asynccontextmanager
async def pool(folder, *workers):
    bus, recorder = Bus(), PoolRecorder()
    bus.join(recorder)
    async with JobStore.open(url_of(folder)) as store:
        dispatcher = Dispatcher(store, bus, workers)
        await dispatcher.recover(lambda job: frozenset())
        await dispatcher.start()
        try:
            yield PoolServer(store, dispatcher, recorder)
        finally:
            await dispatcher.close(0)


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - workers and dispatcher tell in many ways
            await asyncio.sleep(0.01)


async def test_a_job_goes_only_where_its_classes_are(tmp_path):
    one, two = FakeWorker("one", A), FakeWorker("two", B)
    async with pool(tmp_path, one, two) as server:
        for job_id, class_type in (("1", "B"), ("2", "A"), ("3", "B")):
            await server.submit(job_id, class_type)
        assert (one.taken, two.taken) == (["2"], ["1"])
        two.finish("1")
        assert two.taken == ["1", "3"]


async def test_a_job_goes_only_where_its_model_files_are(tmp_path):
    one = FakeWorker("one", {"A": document(name=["x.safetensors"])})
    two = FakeWorker("two", {"A": document(name=["y.safetensors"])})
    async with pool(tmp_path, one, two) as server:
        await server.submit("1", "A", choices=[("A", "name", "y.safetensors")])
        await server.submit("2", "A", choices=[("A", "name", "y.safetensors")])
        assert (one.taken, two.taken) == ([], ["1"])
        one.come_up({"A": document(name=["x.safetensors", "y.safetensors"])})
        assert one.taken == ["2"]


async def test_a_server_has_as_many_jobs_as_it_takes(tmp_path):
    wide = FakeWorker("wide", A, capacity=3)
    async with pool(tmp_path, wide) as server:
        for number in range(5):
            await server.submit(str(number), "A")
        assert wide.taken == ["0", "1", "2"]
        wide.finish("1")
        assert wide.taken[-1] == "3"
        await server.recorder.until("1")
        assert await server.state("1") is State.succeeded
        for job_id in "0234":
            wide.finish(job_id)
        await server.recorder.until("4")


async def test_the_idle_server_comes_before_a_place_in_a_queue(tmp_path):
    wide, narrow = FakeWorker("wide", A, capacity=9), FakeWorker("narrow", A)
    async with pool(tmp_path, wide, narrow) as server:
        await server.submit("1", "A")
        await server.submit("2", "A")
        assert sorted(wide.taken + narrow.taken) == ["1", "2"]
        assert len(narrow.taken) == 1


async def test_jobs_of_a_lost_server_go_to_another_and_cost_an_attempt(tmp_path):
    one, two = FakeWorker("one", A), FakeWorker("two", B)
    async with pool(tmp_path, one, two) as server:
        await server.submit("1", "A")
        two.come_up({**A, **B})
        one.lose(comes_back=True)
        await until(lambda: two.taken == ["1"])
        assert server.recorder.retried == [("1", "no answer")]
        assert two.requests["1"].attempt == 2
        two.finish("1")
        await server.recorder.until("1")
        assert await server.state("1") is State.succeeded


async def test_the_only_server_that_can_run_a_job_gets_it_again(tmp_path):
    one, two = FakeWorker("one", A), FakeWorker("two", B)
    async with pool(tmp_path, one, two) as server:
        await server.submit("1", "A")
        one.lose()
        await server.recorder.until("1", "Retried")
        one.come_up()
        assert one.taken == ["1", "1"]


async def test_a_job_that_loses_every_server_fails_in_the_end(tmp_path):
    one = FakeWorker("one", A)
    async with pool(tmp_path, one) as server:
        await server.submit("1", "A")
        for number in range(MAX_LOST_ATTEMPTS + 1):
            await until(lambda number=number: len(one.taken) == number + 1)
            one.lose(comes_back=True)
        await server.recorder.until("1")
        assert await server.state("1") is State.failed


async def test_a_worker_that_is_added_takes_what_waits(tmp_path):
    async with pool(tmp_path) as server:
        await server.submit("1", "A")
        assert await server.state("1") is State.queued
        late = FakeWorker("late", A)
        await server.dispatcher.add_worker(late)
        assert late.taken == ["1"]
        with pytest.raises(NameTaken):
            await server.dispatcher.add_worker(FakeWorker("late"))


async def test_a_worker_that_is_drained_ends_what_it_has(tmp_path):
    one, two = FakeWorker("one", A), FakeWorker("two", None)
    async with pool(tmp_path, one, two) as server:
        await server.submit("1", "A")
        server.dispatcher.drain("one")
        await server.submit("2", "A")
        one.finish("1")
        await server.recorder.until("1")
        assert one.taken == ["1"]
        server.dispatcher.drain("one", is_draining=False)
        assert one.taken == ["1", "2"]


async def test_jobs_of_a_worker_that_is_removed_go_to_others_without_a_counted_death(tmp_path):
    one, two = FakeWorker("one", A), FakeWorker("two", None)
    async with pool(tmp_path, one, two) as server:
        await server.submit("1", "A")
        two.documents = A
        await server.dispatcher.remove_worker("one")
        two.come_up()
        await until(lambda: two.taken == ["1"])
        assert one.is_closed
        assert (await server.store.get("1")).worker_deaths == 0
        assert [worker.name for worker in server.dispatcher.workers] == ["two"]


async def test_a_late_end_from_a_lost_server_changes_nothing(tmp_path):
    one, two = FakeWorker("one", A), FakeWorker("two", B)
    async with pool(tmp_path, one, two) as server:
        await server.submit("1", "A")
        first = one.requests["1"]
        two.come_up({**A, **B})
        one.lose()
        await until(lambda: two.taken == ["1"])
        one.requests["1"] = first
        one.finish("1")
        assert not (await server.state("1")).is_end
        two.finish("1")
        await server.recorder.until("1")
        assert (await server.store.get("1")).worker == "two"


async def test_a_class_that_no_worker_has_fails_with_what_each_lacks(tmp_path):
    one, two = FakeWorker("one", A), FakeWorker("two", None)
    async with pool(tmp_path, one, two) as server:
        await server.submit("1", "A", "B")
        assert await server.state("1") is State.queued, "the second worker may have both"
        two.come_up(B)
        end = await server.recorder.until("1", "Failed")
        assert "one lacks B; two lacks A" in end.message


async def test_an_interrupt_reaches_the_worker_that_runs_the_job(tmp_path):
    one, two = FakeWorker("one", A), FakeWorker("two", B)
    async with pool(tmp_path, one, two) as server:
        await server.submit("1", "A")
        await server.submit("2", "B")
        assert server.dispatcher.interrupt("2")
        assert (one.interrupted, two.interrupted) == ([], ["2"])


async def test_a_job_stays_with_the_server_that_has_its_model(tmp_path):
    one, two = FakeWorker("one", A), FakeWorker("two", A)
    async with pool(tmp_path, one, two) as server:
        for number in range(6):
            await server.submit(f"x{number}", "A", files=["x.safetensors"])
            await server.submit(f"y{number}", "A", files=["y.safetensors"])
            for worker in (one, two):
                for job_id in list(worker.requests):
                    worker.finish(job_id)
                    await server.recorder.until(job_id)
        assert {job_id[0] for job_id in one.taken} != {job_id[0] for job_id in two.taken}
        assert len({job_id[0] for job_id in one.taken}) == len({job_id[0] for job_id in two.taken}) == 1


async def test_what_one_server_refuses_another_runs_at_no_cost_to_the_job(tmp_path):
    one, two = FakeWorker("one", A), FakeWorker("two", B)
    async with pool(tmp_path, one, two) as server:
        await server.submit("1", "A")
        two.come_up({**A, **B})
        one.refuse("1", "one says no")
        await until(lambda: two.taken == ["1"])
        assert server.recorder.retried == [("1", "one says no")]
        two.finish("1")
        await server.recorder.until("1")
        stored = await server.store.get("1")
        assert (stored.state, stored.worker_deaths) == (State.succeeded, 0)
        assert not server.dispatcher.members.get("one").is_free, "it would get every job, being free at once"


async def test_a_job_that_all_servers_refuse_fails_with_what_they_say(tmp_path):
    one, two = FakeWorker("one", A), FakeWorker("two", A)
    async with pool(tmp_path, one, two, FakeWorker("three", B)) as server:
        await server.submit("1", "A")
        await until(lambda: one.requests or two.requests)
        first, second = (one, two) if one.requests else (two, one)
        first.refuse("1", "the first says no")
        await until(lambda: second.requests)
        second.refuse("1", "the second says no")
        await server.recorder.until("1")
        error = server.dispatcher.find("1").result.error
        assert error == {"node_id": "0", "message": "the first says no\nthe second says no"}
        assert one.taken == two.taken == ["1"]
        assert first.state.value == "ready"
        assert server.dispatcher.members.get(first.name).is_free, "nobody ran it: the job may be wrong"


async def test_a_server_that_refused_a_job_gets_it_again_when_the_other_one_went_away(tmp_path):
    one, two = FakeWorker("one", A), FakeWorker("two", B)
    async with pool(tmp_path, one, two) as server:
        await server.submit("1", "A")
        two.come_up({**A, **B})
        one.refuse("1")
        await until(lambda: two.taken == ["1"])
        two.lose()
        await until(lambda: one.taken == ["1", "1"])
        one.finish("1")
        await server.recorder.until("1")
        assert await server.state("1") is State.succeeded


def test_a_job_goes_where_the_embeddings_of_its_prompt_are_and_anywhere_if_they_are_nowhere():
    here, far, silent = FakeWorker("here", A), FakeWorker("far", A), FakeWorker("silent", A)
    far.embeddings, silent.embeddings = frozenset({"star", "sub/moon"}), None
    members = Members([here, far, silent], lambda source: ["sun.pt", "star.v2.safetensors"])

    def who(*names):
        asked = needs({"A"}, embeddings=names)
        return {one.name for one in members if members.can_run(Run(None, asked), one)}

    assert who("star") == who("sub/moon", "star") == who("star", "nowhere") == {"far"}
    assert who("sun") == who("star.v2") == {"here"}
    assert who() == who("nowhere") == who("sun", "star") == {"here", "far", "silent"}, "nobody has all"
