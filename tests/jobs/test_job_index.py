"""The index of listings says what the database holds, whatever was done to it."""

from __future__ import annotations

import itertools
import random
from array import array
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Row, select

from inglenook.jobs import Job, JobFilter, JobId, JobResult, JobStore, Page, State
from inglenook.jobs import changes as changes_module
from inglenook.jobs import job_index as index_module
from inglenook.jobs.index_columns import LabelColumn, Order, TextColumn, everywhere, from_mask
from inglenook.jobs.tables import jobs

MakeJob = Callable[..., Job]
MakeResult = Callable[..., JobResult]

FILTERS = [
    JobFilter(),
    JobFilter(with_removed=False),
    JobFilter(states=frozenset({State.succeeded, State.failed})),
    JobFilter(states=frozenset({State.cancelled}), with_removed=False),
    JobFilter(user="ann"),
    JobFilter(user="ann", workflow="named", states=frozenset({State.queued, State.succeeded})),
    JobFilter(workflow_id="w1"),
    JobFilter(workflow="w1"),
    JobFilter(workflow="named.json"),
    JobFilter(search="B1"),
    JobFilter(search="client 2", states=frozenset({State.succeeded})),
    JobFilter(search="nothing"),
]
PAGES = [Page(), Page("duration"), Page("created", False, 5, 3), Page("duration", True, 4, 7), Page(limit=3, offset=30)]


def rows_of(connection: Connection) -> list[Row[Any]]:
    return list(connection.execute(select(jobs)))


def expected(rows: list[Row[Any]], wanted: JobFilter, page: Page) -> tuple[list[str], int]:
    def is_wanted(row: Row[Any]) -> bool:
        texts = (row.id, row.client_id, row.workflow_id, row.workflow_name)
        return all(
            (
                wanted.states is None or State(row.state) in wanted.states,
                wanted.with_removed or not row.removed,
                wanted.user in (None, row.user_id),
                wanted.workflow_id in (None, row.workflow_id),
                wanted.workflow in (None, row.workflow_id, row.workflow_name, (row.workflow_name or "")[:-5]),
                not wanted.search or any(text and wanted.search.lower() in text.lower() for text in texts),
            )
        )

    key = "created_ms" if page.sort == "created" else "duration_ms"
    found = sorted(filter(is_wanted, rows), key=lambda row: (getattr(row, key), row.sequence), reverse=page.descending)
    end = None if page.limit is None else page.offset + page.limit
    return [row.id for row in found[page.offset : end]], len(found)


async def check(store: JobStore) -> None:
    rows = await store.read(rows_of)
    for wanted, page in itertools.product(FILTERS, PAGES):
        found = await store.list_jobs(wanted, page)
        assert ([listed.job.id for listed in found.jobs], found.total) == expected(rows, wanted, page), (wanted, page)


class Deeds:
    """Things that happen to jobs, by chance but the same each time."""

    def __init__(self, store: JobStore, make_job: MakeJob, make_result: MakeResult) -> None:
        self.store, self.make_job, self.make_result = store, make_job, make_result
        self.chance = random.Random(7)
        self.ids = itertools.count()
        self.queued: list[JobId] = []
        self.running: list[JobId] = []
        self.ended: list[JobId] = []

    def new(self, number: int) -> Job:
        kind = self.chance.randrange(4)
        extra = {"extra_pnginfo": {"workflow": {"id": f"w{kind}"}}} if kind else {}
        created = 1000 + number + (self.chance.randrange(5) if number % 9 == 0 else 0)
        about = {"created_ms": created, "client_id": f"Client {number % 5}", "extra_data": extra}
        name = "named.json" if number % 3 == 0 else None
        return self.make_job(f"b{number}", number, user="ann" if number % 2 else None, workflow_name=name, **about)

    async def add(self) -> None:
        new = [self.new(next(self.ids)) for _ in range(self.chance.randrange(1, 4))]
        await self.store.add_all(new)
        self.queued += [job.id for job in new]

    async def claim(self) -> None:
        if self.queued:
            job_id = self.queued.pop(0)
            assert await self.store.claim(job_id, "cpu", 1, started_ms=2000)
            self.running.append(job_id)

    async def finish(self) -> None:
        if self.running:
            job_id = self.running.pop()
            state = self.chance.choice([State.succeeded, State.failed, State.cancelled])
            assert await self.store.finish(job_id, 1, self.make_result(state, 2000 + self.chance.randrange(50)))
            self.ended.append(job_id)

    async def take_out_and_send_again(self) -> None:
        if self.queued:
            job_id = self.queued.pop()
            assert await self.store.cancel_queued([job_id]) == [job_id]
            if self.chance.randrange(2):
                await self.store.add(self.make_job(job_id, 5, created_ms=900, user="ann"))
                self.queued.append(job_id)

    async def remove(self) -> None:
        if self.ended:
            await self.store.delete_history([self.ended.pop(self.chance.randrange(len(self.ended)))])


@pytest.mark.parametrize("few_gone", [3, 1000])
async def test_listings_follow_whatever_happens_to_jobs(
    store: JobStore, make_job: MakeJob, make_result: MakeResult, few_gone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "_FEW_GONE", few_gone)
    deeds = Deeds(store, make_job, make_result)
    await check(store)
    kinds = [deeds.add, deeds.claim, deeds.finish, deeds.claim, deeds.finish, deeds.take_out_and_send_again]
    for round in range(12):
        for _ in range(10):
            await deeds.chance.choice(kinds)()
        if round % 2:
            await deeds.remove()
        await check(store)
    await store.adopt("ann")
    await check(store)
    await store.recover()
    await check(store)
    await store.clear_history()
    await check(store)


async def test_more_changes_than_are_noted_are_seen_too(
    store: JobStore, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes_module, "MOST_CHANGES", 5)
    assert (await store.list_jobs()).total == 0
    await store.add_all([make_job(f"a{number}") for number in range(20)])
    assert (await store.list_jobs()).total == 20
    await store.add(make_job("b"))
    assert [listed.job.id for listed in (await store.list_jobs(page=Page(limit=2))).jobs] == ["b", "a19"]


async def test_a_write_that_was_refused_changes_no_listing(store: JobStore, make_job: MakeJob) -> None:
    assert (await store.list_jobs()).total == 0

    def fail(*_arguments: object) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await store.add_all([make_job("a")], beside=fail)
    assert (await store.list_jobs()).total == 0
    await store.add(make_job("b"))
    assert [listed.job.id for listed in (await store.list_jobs()).jobs] == ["b"]


@pytest.mark.parametrize(
    ("search", "found"), [("größe", "GRÖSSE-1"), ("STRASSE", "straße-2"), ("é", "É%_3"), ("%_", "É%_3"), ("1s", "")]
)
async def test_searches_know_the_letters_of_every_language(
    store: JobStore, make_job: MakeJob, search: str, found: str
) -> None:
    for id in ("GRÖSSE-1", "straße-2", "É%_3"):
        await store.add(make_job(id))
    page = await store.list_jobs(JobFilter(search=search))
    assert " ".join(listed.job.id for listed in page.jobs) == found


def places(mask: int, count: int) -> list[int]:
    return [place for place, is_set in enumerate(from_mask(mask, count)) if is_set]


@pytest.mark.parametrize("different", [1, 255, 256, 257, 5000, 70_000])
def test_labels_are_found_however_many_there_are(different: int) -> None:
    column: LabelColumn[int] = LabelColumn()
    values = [number % different for number in range(different + 300)]
    column.extend(values)
    for wanted in ({0}, {different - 1}, {255, 256}, set(range(0, different, 3)), set(range(different)), {-1}):
        found = places(column.where(wanted.__contains__), len(values))
        assert found == [place for place, value in enumerate(values) if value in wanted]


@pytest.mark.parametrize("part", ["a", "ab", "bc", "b\ncd", "abcdefgh", "cdefghij", "zz", "\xff"])
def test_a_part_of_a_text_is_found_inside_one_text(part: str) -> None:
    texts = ["abc", "", "bc", "AB\ncd", "xabcdefghij", "abab", "zÿ", "z"]
    column = TextColumn()
    column.extend(texts)
    found = places(column.containing(part), len(texts))
    assert found == [place for place, text in enumerate(texts) if part in text.lower()]


def test_an_order_is_kept_while_keys_change() -> None:
    chance, keys = random.Random(3), array("q", [5, 1, 5, 2, 9])
    order = Order(keys)
    for _ in range(200):
        if chance.randrange(2):
            keys.append(chance.randrange(20))
            order.add(len(keys) - 1)
        else:
            place = chance.randrange(len(keys))
            order.discard(place)
            keys[place] = chance.randrange(20)
            order.add(place)
        expected = sorted(range(len(keys)), key=lambda place: (keys[place], place))
        count = len(keys)
        assert order.part(everywhere(count), 0, count, count) == expected
        odd = [place for place in expected if place % 2]
        mask = sum(1 << (8 * place) for place in odd)
        for start, end in ((0, len(odd)), (0, 2), (max(0, len(odd) - 3), len(odd) - 1)):
            assert order.part(mask, start, end, len(odd)) == odd[start:end]
