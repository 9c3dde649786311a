"""Questions to a device process and what becomes of slow answers."""

import asyncio
from types import SimpleNamespace

import msgspec
import orjson
import pytest

from inglenook.dispatch import questions
from inglenook.dispatch.catalogs import Catalogs
from inglenook.dispatch.questions import PackQuestions
from inglenook.engine.validators import ValidatorAnswer, ValidatorCall
from inglenook.media.folders import Folders
from inglenook.packs.report import PackReport
from inglenook.settings import Settings
from inglenook.workers.messages import AskValidators, DescribeClasses, RewritePrompt


def slow(seconds):
    return RewritePrompt(orjson.dumps({"seconds": seconds}))


@pytest.fixture
async def worker(server):
    await server.submit("warm", ("Say", {"text": "hello"}))
    await server.recorder.until("warm")
    return server.worker


async def test_while_an_answer_is_overdue_nobody_waits_for_others_and_it_is_not_lost(worker, tmp_path):
    came = asyncio.get_running_loop().create_future()
    body = {"path": str(tmp_path / "go on")}
    assert await worker.ask(RewritePrompt(orjson.dumps(body)), 0.1, late=came.set_result) is None
    async with asyncio.timeout(60):  # less than the patience of who asks
        assert await worker.ask(slow(0), 3600) is None
        (tmp_path / "go on").touch()
        assert orjson.loads(await came) == body
        assert orjson.loads(await worker.ask(slow(0), 60)) == {"seconds": 0}


async def test_a_question_that_is_open_when_the_worker_is_closed_has_no_answer(worker):
    asking = asyncio.create_task(worker.ask(slow(3600), 3600))
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await worker.close()
        assert await asking is None


async def test_a_question_that_is_open_when_the_process_dies_has_no_answer(server, worker):
    asking = asyncio.create_task(worker.ask(slow(3600), 3600))
    await asyncio.sleep(0)
    await server.submit("die", ("Exit", {"code": 3}))
    async with asyncio.timeout(60):
        assert await asking is None
        await server.submit("next", ("Say", {"text": "hello"}))
        await server.recorder.until("next")
        assert orjson.loads(await worker.ask(slow(0), 60)) == {"seconds": 0}


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


# What is asked, and of whom

CALL = ValidatorCall("1", "Acme", {}, {})


def document(*choices):
    return {"input": {"required": {"name": [list(choices)]}}, "output": [], "output_node": True}


class Packs:
    """A worker whose packs answer what `answers` says by kind of question; None: no answer."""

    def __init__(self, **answers):
        self.documents = {"Acme": document("old")}
        self.packs = [PackReport("acme", "/acme", ["Acme"])]
        self.rewrites_prompts = "RewritePrompt" in answers
        self.answers = answers
        self.asked = []
        self.gate = None

    async def ask(self, question, timeout_s, *, late=None):
        self.asked.append(type(question))
        if self.gate is not None:
            await self.gate.wait()
        return self.answers.get(type(question).__name__)


@pytest.fixture
def catalogs(tmp_path):
    made = Catalogs(Folders.from_settings(Settings(base_directory=tmp_path)), tmp_path / "catalog.json")
    made.update({"Acme": document("old")})
    return made


def choices(catalogs):
    return catalogs.current.object_info("Acme")["Acme"]["input"]["required"]["name"][0]


async def test_lists_of_choices_are_asked_for_anew_once_for_all_who_ask_together(catalogs):
    worker = Packs(DescribeClasses=msgspec.msgpack.encode({"Acme": document("new")}))
    questions = PackQuestions(lambda: [worker], catalogs)
    await asyncio.gather(*(questions.refresh() for _ in range(5)))
    assert choices(catalogs) == ["new"]
    assert worker.asked == [DescribeClasses]


async def test_a_question_under_way_is_not_good_enough_for_a_later_request(catalogs):
    worker = Packs(DescribeClasses=msgspec.msgpack.encode({}))
    worker.gate = asyncio.Event()
    questions = PackQuestions(lambda: [worker], catalogs)
    first = asyncio.create_task(questions.refresh())
    while not worker.asked:  # noqa: ASYNC110 - until it is under way
        await asyncio.sleep(0)
    later = asyncio.create_task(questions.refresh())
    await asyncio.sleep(0)
    worker.gate.set()
    await asyncio.gather(first, later)
    assert worker.asked == [DescribeClasses] * 2


async def test_nobody_is_asked_where_there_are_no_packs(catalogs):
    worker = Packs()
    worker.packs = []
    questions = PackQuestions(lambda: [worker], catalogs)
    await questions.refresh()
    assert await questions.rewrite({"prompt": {}}) == {"prompt": {}}
    assert worker.asked == []
    assert not questions.of_packs(["Acme"])


async def test_validators_answer_by_node(catalogs):
    worker = Packs(AskValidators=msgspec.msgpack.encode({"1": ValidatorAnswer(["no"])}))
    questions = PackQuestions(lambda: [worker], catalogs)
    assert await questions.validate([CALL]) == {"1": ValidatorAnswer(["no"])}
    assert worker.asked == [AskValidators]


@pytest.mark.parametrize("worker", [Packs(), SimpleNamespace(documents=None, packs=())], ids=["deaf", "starting"])
async def test_validators_that_cannot_be_asked_give_none(catalogs, worker):
    assert await PackQuestions(lambda: [worker], catalogs).validate([CALL]) is None


async def test_a_prompt_is_rewritten_or_used_as_it_came(catalogs):
    willing, deaf = Packs(RewritePrompt=b'{"prompt": {"1": {}}}'), Packs(RewritePrompt=None)
    assert await PackQuestions(lambda: [willing], catalogs).rewrite({"prompt": {}}) == {"prompt": {"1": {}}}
    assert await PackQuestions(lambda: [deaf], catalogs).rewrite({"prompt": {}}) == {"prompt": {}}
    assert willing.asked == deaf.asked == [RewritePrompt]
