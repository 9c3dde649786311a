"""What only the code of packs can say: asked for a short time, shared, and never waited for in vain."""

import asyncio
from types import SimpleNamespace

import msgspec
import pytest

from inglenook.dispatch.catalogs import Catalogs
from inglenook.dispatch.questions import PackQuestions
from inglenook.engine.validators import ValidatorAnswer, ValidatorCall
from inglenook.media.folders import Folders
from inglenook.packs.report import PackReport
from inglenook.settings import Settings
from inglenook.workers.messages import AskValidators, DescribeClasses, RewritePrompt

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

    async def ask(self, question, timeout_s):
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


async def test_a_worker_that_does_not_answer_is_left_alone_for_a_while(catalogs):
    worker = Packs()
    questions = PackQuestions(lambda: [worker], catalogs)
    for _ in range(3):
        await questions.refresh()
    assert worker.asked == [DescribeClasses]
    assert choices(catalogs) == ["old"]


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
