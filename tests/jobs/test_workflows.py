"""The workflow library in the database: versions, names, owners."""

from __future__ import annotations

import pytest

from inglenook.jobs import JobStore, workflows
from inglenook.jobs.workflow_records import LibraryFull, NewVersion, Saved, WorkflowNameTaken, WorkflowNotStored


async def save(store: JobStore, name: str, document: bytes, *, owner: str = "default", now: int = 1, **more) -> Saved:
    keep, overwrite = more.pop("keep", 50), more.pop("overwrite", True)
    new = NewVersion(name, document, "api", more.pop("origin", "upload"), **more)
    (saved,) = await store.write(workflows.save_all, owner, [new], now, keep=keep, overwrite=overwrite)
    return saved


async def document(store: JobStore, saved: Saved, version: int) -> bytes | None:
    found = await store.read(workflows.read_document, saved.record.id, version)
    return None if found is None else found[1]


async def test_the_same_name_gives_a_new_version(store: JobStore) -> None:
    first = await save(store, "a.json", b'{"n":1}', tags=["x"], description="what it is")
    second = await save(store, "a.json", b'{"n":2}', now=2)
    assert (first.is_new, second.is_new, second.is_changed) == (True, False, True)
    assert second.record.version == 2
    assert (second.record.tags, second.record.description) == (("x",), "what it is")
    assert (second.record.created_ms, second.record.updated_ms) == (1, 2)
    assert await document(store, second, 1) == b'{"n":1}'
    assert await document(store, second, 2) == b'{"n":2}'


async def test_the_same_document_gives_no_new_version(store: JobStore) -> None:
    await save(store, "a.json", b'{"n":1}')
    again = await save(store, "a.json", b'{"n":1}', tags=["y"])
    assert (again.is_changed, again.record.version, again.record.tags) == (False, 1, ("y",))


async def test_a_large_document_comes_back_as_it_was(store: JobStore) -> None:
    large = b'{"text":"' + b"abc" * 100_000 + b'"}'
    saved = await save(store, "a.json", large)
    assert await document(store, saved, 1) == large
    assert saved.record.size_bytes == len(large)


async def test_only_the_newest_versions_are_kept(store: JobStore) -> None:
    for number in range(5):
        saved = await save(store, "a.json", b"%d" % number, keep=3)
    kept = await store.read(workflows.list_versions, saved.record.id)
    assert [one.version for one in kept] == [5, 4, 3]
    assert await document(store, saved, 2) is None


async def test_a_taken_name_is_refused_without_overwrite_and_nothing_is_stored(store: JobStore) -> None:
    await save(store, "a.json", b"1")
    both = [NewVersion("b.json", b"1", "api", "upload"), NewVersion("a.json", b"2", "api", "upload")]
    with pytest.raises(WorkflowNameTaken, match=r"a\.json"):
        await store.write(workflows.save_all, "default", both, 1, keep=50, overwrite=False)
    assert [one.name for one in await store.read(workflows.list_all, "default")] == ["a.json"]


async def test_users_do_not_see_the_workflows_of_others(store: JobStore) -> None:
    await save(store, "a.json", b"1", owner="ann")
    bob = await save(store, "a.json", b"2", owner="bob")
    assert bob.is_new
    await store.write(workflows.remove, "ann", "a.json")
    assert await store.read(workflows.find, "ann", "a.json") is None
    assert await store.read(workflows.find, "bob", "a.json") == bob.record


async def test_a_rename_keeps_versions_and_refuses_a_taken_name(store: JobStore) -> None:
    await save(store, "a.json", b"1")
    saved = await save(store, "a.json", b"2")
    await save(store, "b.json", b"3")
    with pytest.raises(WorkflowNameTaken):
        await store.write(workflows.describe, "default", "a.json", 5, new_name="b.json")
    renamed = await store.write(workflows.describe, "default", "a.json", 5, new_name="肖像.json")
    assert (renamed.id, renamed.version, renamed.name) == (saved.record.id, 2, "肖像.json")
    assert await document(store, saved, 1) == b"1"


async def test_removing_what_is_not_there_says_so(store: JobStore) -> None:
    with pytest.raises(WorkflowNotStored):
        await store.write(workflows.remove, "default", "a.json")


async def test_the_last_runs_and_the_thumbnail_are_remembered(store: JobStore) -> None:
    saved = await save(store, "a.json", b"1")
    for number in range(12):
        await store.write(workflows.note_run, saved.record.id, f"job-{number}")
    await store.write(workflows.note_run, saved.record.id, "job-11")
    await store.write(workflows.keep_thumbnail, saved.record.id, "job-3", b"old")
    await store.write(workflows.keep_thumbnail, saved.record.id, "job-11", b"new")
    found = await store.read(workflows.find, "default", "a.json")
    assert found is not None
    assert found.runs == tuple(f"job-{number}" for number in range(11, 1, -1))
    assert await store.read(workflows.read_thumbnail, saved.record.id) == ("job-11", b"new")
    await store.write(workflows.remove, "default", "a.json")
    await store.write(workflows.note_run, saved.record.id, "job-12")
    await store.write(workflows.keep_thumbnail, saved.record.id, "job-12", b"late")
    assert await store.read(workflows.read_thumbnail, saved.record.id) is None


async def test_a_full_library_takes_no_more(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflows, "MOST_WORKFLOWS", 1)
    await save(store, "a.json", b"1")
    await save(store, "a.json", b"2")
    with pytest.raises(LibraryFull):
        await save(store, "b.json", b"1")
