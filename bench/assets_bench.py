"""What the asset library costs with many assets: pages, tags, changes of one asset, and emptying `temp`.

Fills a database (100,000 assets by default; models are the oldest, so that a page of them cannot begin at the newest
file) and asks the library itself. Prints one JSON line for each question: median milliseconds, and those of the first
time after a change that may alter every total.

    python bench/assets_bench.py [--assets 100000] [--runs 20]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from inglenook.assets import AssetFilter, AssetLibrary, Found, Page, Place
from inglenook.jobs import JobStore, sqlite_url
from inglenook.media.folders import Folders
from inglenook.settings import Settings

ROOTS = ("models", "input", "output", "output", "temp")
"""Every asset is in one of these, in turn."""
START_MS = 1_700_000_000_000

PANEL = AssetFilter(tags_any=("output", "temp"), tags_none=("missing",))
PAGES = {
    "all": (AssetFilter(), Page(limit=20)),
    "media panel": (PANEL, Page(limit=100)),
    "inputs": (AssetFilter(tags_any=("input",), tags_none=("missing",)), Page(limit=100)),
    "models": (AssetFilter(tags_all=("models",), tags_none=("missing",)), Page(limit=500)),
    "loras": (AssetFilter(tags_all=("models", "loras"), tags_none=("missing",)), Page(limit=500)),
    "label of many": (AssetFilter(tags_all=("even",)), Page(limit=20)),
    "label of few": (AssetFilter(tags_all=("rare",)), Page(limit=20)),
    "without a role": (AssetFilter(tags_none=("output",)), Page(limit=20)),
    "by size": (AssetFilter(), Page("size", limit=20)),
    "models by name": (AssetFilter(tags_all=("models",)), Page("name", descending=False, limit=100)),
    "outputs by update": (AssetFilter(tags_all=("output",)), Page("updated_at", limit=100)),
    "last access": (AssetFilter(), Page("last_access_time", limit=20)),
    "offset 5000": (PANEL, Page(limit=100, offset=5000)),
    "name of few": (AssetFilter(name_contains="000077"), Page(limit=20)),
    "name of many": (AssetFilter(name_contains="PNG"), Page(limit=20)),
    "metadata of few": (AssetFilter(metadata='{"scene":30}'), Page(limit=500)),
    "metadata of many": (AssetFilter(metadata='{"scene":[0,10,20]}'), Page(limit=500)),
    "a user of two": (AssetFilter(user="anna", tags_any=("output",)), Page(limit=20)),
    "a user of few": (AssetFilter(user="eve"), Page(limit=20)),
}


def files(count: int) -> Iterator[Found]:
    """Assets by age: a fifth are models, the rest in turns."""
    for number in range(count):
        is_model = number < count // len(ROOTS)
        root = "models" if is_model else ROOTS[1 + number % (len(ROOTS) - 1)]
        folder = ("checkpoints/", "loras/", "vae/", "controlnet/")[number % 4] if is_model else ""
        name = f"{folder}{'m' if is_model else 'ComfyUI_'}{number:06}.{'safetensors' if is_model else 'png'}"
        labels = (["even"] if number % 2 else []) + (["rare"] if number % 500 == 0 else [])
        yield Found(
            Place(root, name),
            size=number * 7919 % 1_000_003,
            modified_ns=(START_MS + number * 1000) * 1_000_000,
            owner="" if is_model else ("anna", "bert")[number % 3 > 0] if number % 1000 else "eve",
            tags=tuple(labels),
            user_metadata={} if number % 10 else {"scene": number % 1000},
        )


async def timed(make: Callable[[], Awaitable[Any]]) -> float:
    start = time.perf_counter()
    await make()
    return (time.perf_counter() - start) * 1000


async def change_something(library: AssetLibrary) -> None:
    """Change a tag, after which no total is what it was for sure."""
    (asset,) = (await library.page(AssetFilter(), Page(limit=1))).assets
    await library.add_tags(asset, ["x"])
    await library.remove_tags(asset, ["x"])


async def ask(library: AssetLibrary, name: str, question: Callable[[], Awaitable[Any]], runs: int) -> None:
    first = []
    for _ in range(3):
        await change_something(library)
        first.append(await timed(question))
    again = [await timed(question) for _ in range(runs)]
    tell(name, statistics.median(again), after_a_change_ms=round(statistics.median(first), 2))


def tell(name: str, milliseconds: float, **more: Any) -> None:
    print(json.dumps({"question": name, "ms": round(milliseconds, 2), **more}), flush=True)


async def measure(folder: Path, count: int, runs: int) -> None:
    async with JobStore.open(sqlite_url(folder / "jobs.sqlite")) as store:
        folders = Folders.from_settings(Settings(base_directory=folder))
        library = AssetLibrary(store, folders, clock=lambda: START_MS * 2)
        start = time.perf_counter()
        found = list(files(count))
        for first in range(0, count, 100):
            await library.register(found[first : first + 100])
        tell("register 100", (time.perf_counter() - start) * 1000 / (count / 100))
        for name, (wanted, part) in PAGES.items():
            await ask(library, name, lambda wanted=wanted, part=part: library.page(wanted, part), runs)
        await ask(library, "tags", lambda: library.tag_counts(AssetFilter(), limit=100), runs)
        await ask(library, "tags of the panel", lambda: library.tag_counts(PANEL, limit=100), runs)
        await measure_changes(library, runs)


async def measure_changes(library: AssetLibrary, runs: int) -> None:
    found = (await library.page(AssetFilter(tags_all=("output",)), Page(limit=runs))).assets
    tell("remove one", statistics.median([await timed(lambda a=a: library.remove(a, with_file=True)) for a in found]))
    job = [Found(Place("output", f"new_{number}.png"), 1, number, is_news=True) for number in range(runs)]
    pages = []
    for new in job:
        await library.register([new])
        pages.append(await timed(lambda: library.page(*PAGES["media panel"])))
    tell("media panel after a job", statistics.median(pages))
    tell("forget temp", await timed(lambda: library.forget_root("temp")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assets", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), arguments.assets, arguments.runs))


if __name__ == "__main__":
    main()
