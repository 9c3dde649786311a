"""The bytes of `/object_info` follow the catalog and the folders."""

import asyncio
import threading

import orjson
import pytest

from inglenook.dispatch import catalogs as catalogs_module
from inglenook.dispatch.catalogs import Catalogs
from inglenook.engine.catalog import Catalog
from inglenook.media.folders import Folders
from inglenook.settings import Settings


@pytest.fixture
def catalogs(tmp_path):
    return Catalogs(Folders.from_settings(Settings(base_directory=tmp_path)), tmp_path / "catalog.json")


def documents(catalogs, *class_types):
    """What a worker would say that has these of the packaged classes."""
    return {class_type: catalogs._documents[class_type] for class_type in class_types}


def test_object_info_is_built_once_per_catalog_and_state_of_the_folders(catalogs, tmp_path):
    first = catalogs.object_info()
    assert catalogs.object_info() is first
    catalogs.update(documents(catalogs, "EmptyImage"))
    assert list(orjson.loads(catalogs.object_info().body)) == ["EmptyImage"]


def test_what_a_thread_made_of_the_old_catalog_is_not_kept_after_an_update(catalogs, monkeypatch):
    begun, may_go_on = threading.Event(), threading.Event()
    build = Catalog.object_info

    def slowly(catalog, class_type):
        info = build(catalog, class_type)
        begun.set()
        may_go_on.wait(60)
        return info

    monkeypatch.setattr(Catalog, "object_info", slowly)
    thread = threading.Thread(target=catalogs.object_info)
    thread.start()
    assert begun.wait(60)
    catalogs.update(documents(catalogs, "EmptyImage"))
    may_go_on.set()
    thread.join()
    assert list(orjson.loads(catalogs.object_info().body)) == ["EmptyImage"]


async def test_servers_that_never_answer_are_waited_for_once_and_not_for_long(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogs_module, "FAR_WAIT_S", 0.05)
    folders = Folders.from_settings(Settings(base_directory=tmp_path))
    catalogs = Catalogs(folders, tmp_path / "catalog.json", local=None)
    catalogs.expect("far")
    async with asyncio.timeout(20):
        await catalogs.wait_for(["Nobody"], 60)
        await catalogs.wait_for(["Nobody"], 60)
    assert not catalogs.knows(["Nobody"])


async def test_this_machine_is_waited_for_longer_than_servers_that_do_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogs_module, "FAR_WAIT_S", 0.05)
    catalogs = Catalogs(Folders.from_settings(Settings(base_directory=tmp_path)), tmp_path / "catalog.json")
    catalogs.expect("far")
    waiting = asyncio.create_task(catalogs.wait_for(["New"], 60))
    async with asyncio.timeout(20):
        while "far" in catalogs._awaited:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert not waiting.done()
    catalogs.update({"New": {"input": {}, "output": []}})
    async with asyncio.timeout(20):
        await waiting


async def test_a_server_that_answers_soon_is_waited_for(tmp_path):
    folders = Folders.from_settings(Settings(base_directory=tmp_path))
    catalogs = Catalogs(folders, tmp_path / "catalog.json", local=None)
    catalogs.expect("far")
    waiting = asyncio.create_task(catalogs.wait_for(["New"], 60))
    await asyncio.sleep(0)
    catalogs.update({"New": {"input": {}, "output": []}}, worker="far")
    async with asyncio.timeout(20):
        await waiting
    assert catalogs.knows(["New"])
