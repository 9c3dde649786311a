"""Filters of what users say of assets: the same on every database, with pages and totals that agree."""

import json
from typing import Any

import pytest

from inglenook.assets import AssetFilter, AssetLibrary, Found, Page, Place
from inglenook.jobs import JobStore
from inglenook.media.folders import Folders
from inglenook.settings import Settings
from tests.jobs.conftest import any_url  # noqa: F401

SAID: dict[str, dict[str, Any]] = {
    "nothing": {},
    "text": {"k": "a"},
    "other text": {"k": "b", "l": 1},
    "one": {"k": 1},
    "half": {"k": 0.5},
    "large": {"k": 2**64},
    "true": {"k": True},
    "false": {"k": False},
    "null": {"k": None},
    "list": {"k": ["a", 1, None, ["deep"]]},
    "object": {"k": {"k": "a"}},
    "odd key": {"\"$.k' %_": "a"},
    "nul": {"k": "x\0y"},
}
CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({"k": "a"}, {"text", "list"}),
    ({"k": ["a", "b"]}, {"text", "other text", "list"}),
    ({"k": "A"}, set()),
    ({"k": "1"}, set()),
    ({"k": 1}, {"one", "list"}),
    ({"k": 1.0}, {"one", "list"}),
    ({"k": [0.5, 7]}, {"half"}),
    ({"k": True}, {"true"}),
    ({"k": False}, {"false"}),
    ({"k": [True, "b"]}, {"true", "other text"}),
    ({"k": "deep"}, set()),
    ({"k": []}, set()),
    ({"k": "a", "l": 1}, set()),
    ({"k": "b", "l": 1}, {"other text"}),
    ({"\"$.k' %_": "a"}, {"odd key"}),
    ({"l": None}, set(SAID) - {"other text", "nul"}),
    ({"k": None}, {"nothing", "null", "list", "odd key", "job"}),
    ({"k": [None, True]}, {"nothing", "null", "list", "odd key", "job", "true"}),
    ({"jobId": "j"}, {"job"}),
    ({"jobId": "j", "nodeId": ["8", "9"]}, {"job"}),
    ({"jobId": "j", "nodeId": "8"}, set()),
    ({"jobId": 5}, set()),
]


@pytest.fixture
async def library(any_url, tmp_path):  # noqa: F811
    async with JobStore.open(any_url) as store:
        library = AssetLibrary(store, Folders.from_settings(Settings(base_directory=tmp_path)))
        said = [
            Found(Place("input", name), 1, number, user_metadata=metadata)
            for number, (name, metadata) in enumerate(SAID.items())
        ]
        job = Found(Place("output", "job"), 1, 1, job_id="j", node_id="9")
        await library.register([*said, job])
        yield library


@pytest.mark.parametrize(("wanted", "expected"), CASES, ids=[json.dumps(case[0]) for case in CASES])
async def test_a_filter_finds_equal_values(library, wanted, expected):
    if "l" in wanted and wanted["l"] is None:
        expected = expected | {"job"}
    for more in ({}, {"tags_any": ("input", "output")}, {"user": "anna"}):
        page = await library.page(AssetFilter(metadata=json.dumps(wanted), **more), Page(limit=100))
        found = {asset.name for asset in page.assets} - {"nul"}  # which one database cannot look into
        assert found == expected
        assert page.total == len(page.assets)


async def test_true_is_not_the_one_that_was_asked_for_before(library):
    for wanted, expected in (("1", {"one", "list"}), ("true", {"true"}), ("1", {"one", "list"})):
        page = await library.page(AssetFilter(metadata=f'{{"k":{wanted}}}'), Page())
        assert ({asset.name for asset in page.assets}, page.total) == (expected, len(expected))


async def test_totals_keep_up_with_new_files_and_changes(library):
    wanted = AssetFilter(metadata='{"k":"a"}')
    assert (await library.page(wanted, Page())).total == 2
    await library.register(
        [Found(Place("input", "new"), 1, 10**12, user_metadata={"k": "a"}), Found(Place("temp", "x"), 1, 1)]
    )
    page = await library.page(wanted, Page(limit=1))
    assert (page.assets[0].name, page.total, page.next is None) == ("new", 3, False)
    rest = await library.page(wanted, Page(limit=2, after=page.next))
    assert ({asset.name for asset in rest.assets}, rest.next) == ({"text", "list"}, None)
