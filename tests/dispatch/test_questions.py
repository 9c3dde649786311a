"""Questions to a device process and what becomes of slow answers."""

import asyncio
import time

import msgspec
import orjson
import pytest

from inglenook.dispatch import questions
from inglenook.dispatch.catalogs import Catalogs
from inglenook.dispatch.questions import PackQuestions
from inglenook.media.folders import Folders
from inglenook.packs.report import PackReport
from inglenook.settings import Settings
from inglenook.workers.messages import RewritePrompt


def slow(seconds):
    return RewritePrompt(orjson.dumps({"seconds": seconds}))


@pytest.fixture
async def worker(server):
    await server.submit("warm", ("Say", {"text": "hello"}))
    await server.recorder.until("warm")
    return server.worker


async def test_while_an_answer_is_overdue_nobody_waits_for_others_and_it_is_not_lost(worker):
    came = asyncio.get_running_loop().create_future()
    assert await worker.ask(slow(0.5), 0.1, late=came.set_result) is None
    started = time.monotonic()
    assert await worker.ask(slow(0), 5) is None
    assert time.monotonic() - started < 0.1
    async with asyncio.timeout(5):
        assert orjson.loads(await came) == {"seconds": 0.5}
    assert orjson.loads(await worker.ask(slow(0), 5)) == {"seconds": 0}


async def test_a_question_that_is_open_when_the_worker_is_closed_has_no_answer(worker):
    asking = asyncio.create_task(worker.ask(slow(60), 60))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await worker.close()
        assert await asking is None


async def test_a_question_that_is_open_when_the_process_dies_has_no_answer(server, worker):
    asking = asyncio.create_task(worker.ask(slow(60), 60))
    await asyncio.sleep(0)
    await server.submit("die", ("Exit", {"code": 3}))
    async with asyncio.timeout(10):
        assert await asking is None
        await server.submit("next", ("Say", {"text": "hello"}))
        await server.recorder.until("next")
        assert orjson.loads(await worker.ask(slow(0), 5)) == {"seconds": 0}


class SlowToDescribe:
    """A worker whose description of its classes comes after the time that is given to it."""

    packs = (PackReport("pack", "/pack", ["Listed"]),)

    async def ask(self, question, timeout_s, *, late=None):
        self.late = late


async def test_a_description_that_comes_late_changes_the_catalog(tmp_path, monkeypatch):
    monkeypatch.setattr(questions, "PATIENCE_S", 0.01)
    catalogs = Catalogs(Folders.from_settings(Settings(base_directory=tmp_path)), tmp_path / "catalog.json")
    worker = SlowToDescribe()
    await PackQuestions(lambda: [worker], catalogs).refresh()
    assert "Listed" not in catalogs.current
    worker.late(msgspec.msgpack.encode({"Listed": {"input": {"required": {"file": [["new.txt"]]}}, "output": []}}))
    assert catalogs.current.object_info("Listed")["Listed"]["input"]["required"]["file"] == [["new.txt"]]
