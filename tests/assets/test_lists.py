"""Lists of the asset library: every filter in every order, however the database goes about it, and totals that stay."""

import asyncio
import itertools
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from inglenook.assets import Asset, AssetFilter, AssetLibrary, Cursor, Found, Page, Place, queries
from inglenook.jobs import JobStore, sqlite_url
from inglenook.media.folders import Folders
from inglenook.settings import Settings

FILTERS = [
    AssetFilter(),
    AssetFilter(tags_any=("output", "temp"), tags_none=("missing",)),
    AssetFilter(tags_all=("models",)),
    AssetFilter(tags_all=("models", "loras"), tags_none=("label",)),
    AssetFilter(tags_all=("input", "output")),
    AssetFilter(tags_any=("input", "label")),
    AssetFilter(tags_any=("nobody has it",)),
    AssetFilter(tags_any=("nobody has it", "label"), tags_none=("nor this",)),
    AssetFilter(tags_all=("nobody has it",)),
    AssetFilter(tags_none=("input", "label")),
    AssetFilter(tags_none=("input", "models", "output", "temp")),
    AssetFilter(tags_all=("missing",)),
    AssetFilter(name_contains="A1"),
    AssetFilter(name_contains="_", tags_all=("output",)),
    AssetFilter(name_contains="%"),
    AssetFilter(user="anna"),
    AssetFilter(user="anna", tags_all=("label",), tags_none=("missing",)),
    AssetFilter(user="nobody", tags_any=("input",)),
    AssetFilter(hash="blake3:" + "1" * 64),
    AssetFilter(hash="blake3:" + "1" * 64, tags_all=("output",), user="bert"),
]
SORTS = ("created_at", "updated_at", "name", "size", "last_access_time")


def found(number: int, root: str) -> Found:
    folder = ("loras/", "vae/")[number % 2] if root == "models" else ""
    name = ("a{}.png", "A_{}.png", "b%{}.png")[number % 3].format(number)
    return Found(
        Place(root, folder + name),
        size=number % 4,
        modified_ns=(number // 3) * 1_000_000,
        hash="blake3:" + str(number % 3) * 64,
        owner=("", "anna", "bert")[number % 3],
        tags=("label",) if number % 5 == 0 else (),
    )


@pytest.fixture
async def library(tmp_path: Path):
    """40 assets in four folders: some removed from the lists, some whose file is gone."""
    async with JobStore.open(sqlite_url(tmp_path / "jobs.sqlite")) as store:
        folders = Folders.from_settings(Settings(base_directory=tmp_path))
        library = AssetLibrary(store, folders, clock=itertools.count(1000).__next__)
        roots = ("models", "input", "output", "temp", "output")
        registered = await library.register([found(number, roots[number % 5]) for number in range(40)])
        await library.mark_missing([registered[index].id for index in (3, 8, 12)])
        for index in (1, 10, 30):
            asset = await library.get(registered[index].id, None)
            assert asset is not None
            await library.remove(asset, with_file=False)
        await library.accessed(msgspec.structs.replace(asset, id=registered[7].id, accessed_ms=-100_000))
        yield library


async def pages(library: AssetLibrary, wanted: AssetFilter, part: Page) -> tuple[list[Asset], set[int]]:
    """Everything that a filter gives, a page after the other, and the totals that the pages tell."""
    shown: list[Asset] = []
    totals: set[int] = set()
    after: Cursor | None = None
    while True:
        page = await library.page(wanted, replace(part, after=after))
        shown += page.assets
        totals.add(page.total)
        after = page.next
        if after is None:
            return shown, totals


def is_wanted(asset: Asset, wanted: AssetFilter) -> bool:
    tags = set(asset.tags)
    return (
        (wanted.user is None or asset.owner in ("", wanted.user))
        and tags >= set(wanted.tags_all)
        and (not wanted.tags_any or bool(tags & set(wanted.tags_any)))
        and not tags & set(wanted.tags_none)
        and wanted.name_contains.lower() in asset.name.lower()
        and wanted.hash in (None, asset.hash)
    )


def in_order(assets: Sequence[Asset], part: Page) -> list[str]:
    column = {"created_at": "created_ms", "updated_at": "updated_ms", "last_access_time": "accessed_ms"}
    ordered = sorted(assets, key=lambda a: (getattr(a, column.get(part.sort, part.sort)), a.id))
    return [asset.id for asset in (reversed(ordered) if part.descending else ordered)]


async def check(library: AssetLibrary) -> None:
    """Every filter gives what it says, a page after the other and by offset."""
    every, _totals = await pages(library, AssetFilter(), Page(limit=500))
    for (wanted, sort), is_descending in itertools.product(itertools.product(FILTERS, SORTS), (True, False)):
        part = Page(sort, is_descending, limit=4)
        expected = in_order([asset for asset in every if is_wanted(asset, wanted)], part)
        shown, totals = await pages(library, wanted, part)
        assert [asset.id for asset in shown] == expected, (wanted, part)
        assert totals == {len(expected)}, (wanted, part)
        later = await library.page(wanted, replace(part, offset=3))
        assert [asset.id for asset in later.assets] == expected[3:7], (wanted, part)


@pytest.mark.parametrize("few", [0, 3000])
async def test_filters_hold_whether_indexes_are_walked_or_assets_are_sorted(
    library: AssetLibrary, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(queries, "_FEW", few)
    assert (await library.page(AssetFilter(), Page())).total == 37
    await check(library)


@pytest.mark.parametrize("few", [0, 3000])
async def test_the_tag_of_a_folder_that_was_given_to_an_asset_of_another_one(
    library: AssetLibrary, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(queries, "_FEW", few)
    (asset,) = (await library.page(AssetFilter(tags_all=("input",)), Page(limit=1))).assets
    await library.add_tags(asset, ["models"])
    shown, _totals = await pages(library, AssetFilter(tags_all=("models",)), Page())
    assert asset.id in {other.id for other in shown}
    await check(library)


async def test_totals_follow_every_change(library: AssetLibrary) -> None:
    async def told() -> None:
        """Each total, kept or not, is that of a library that has just begun."""
        fresh = AssetLibrary(library.store, library.folders)
        for wanted in FILTERS:
            now = (await fresh.page(wanted, Page(limit=1))).total
            assert (await library.page(wanted, Page(limit=1))).total == now, wanted
        assert await library.tag_counts(AssetFilter(), limit=99) == await fresh.tag_counts(AssetFilter(), limit=99)

    await told()
    new = [replace(found(50, "output"), is_news=True, job_id="j"), found(51, "models"), found(51, "models")]
    registered = await library.register(new)
    await told()
    await library.register([replace(found(3, "temp"), size=9, hash=None), *new])  # its file is back, and another one
    await told()
    asset = await library.get(registered[0].id, None)
    assert asset is not None
    await library.set_hashes({asset.id: ("blake3:" + "7" * 64, asset.modified_ns)})
    await told()
    await library.add_tags(asset, ["label", "missing"])
    await told()
    await library.remove_tags(asset, ["label"])
    await told()
    await library.mark_missing([asset.id, registered[1].id])
    await told()
    await library.refer(asset, replace(new[0], name="again.png"), None)
    await told()
    await library.remove(asset, with_file=True)
    await told()
    await library.forget_file(new[1].place)
    await told()


async def test_a_total_that_is_asked_for_beside_changes_is_right_afterwards(library: AssetLibrary) -> None:
    for start in range(100, 200, 10):
        files = [[found(start + number, "output")] for number in range(10)]
        await asyncio.gather(
            *(library.register(some) for some in files), *(library.page(AssetFilter(), Page()) for _ in range(10))
        )
    assert (await library.page(AssetFilter(), Page())).total == 137


async def test_an_emptied_folder_is_forgotten_before_anybody_is_answered(library: AssetLibrary) -> None:
    assert (await library.page(AssetFilter(tags_all=("temp",)), Page())).total > 0
    forgetting = library.forget_root_soon("temp")
    new = replace(found(3, "temp"), is_news=True)  # the name of an old one
    ((registered,), page) = await asyncio.gather(
        library.register([new]), library.page(AssetFilter(tags_all=("temp",)), Page())
    )
    assert registered.is_new
    assert {asset.id for asset in page.assets} <= {registered.id}
    await forgetting
    shown = (await library.page(AssetFilter(tags_all=("temp",)), Page())).assets
    assert [asset.id for asset in shown] == [registered.id]


async def test_pages_are_found_by_their_index(tmp_path: Path, library: AssetLibrary) -> None:
    """A list of one folder is read in its order, in every order that there is."""
    with sqlite3.connect(tmp_path / "jobs.sqlite") as connection:
        for key in ("created_ms", "updated_ms", "accessed_ms", "name", "size"):
            plan = connection.execute(
                f"EXPLAIN QUERY PLAN SELECT id FROM assets WHERE hidden IS 0 AND root = 'temp' ORDER BY {key}, id"
            ).fetchall()
            assert [row[3] for row in plan] == [
                f"SEARCH assets USING COVERING INDEX ix_assets_by_{key} (hidden=? AND root=?)"
            ]
    connection.close()
