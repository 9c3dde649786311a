"""Which results survive from run to run, per strategy."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from inglenook.engine.cache import Cache, ClassicCache, LruCache, NoCache, NodeResult
from inglenook.engine.memory import MemoryPressureCache, size_bytes
from tests.engine.toys import Toys, basic, node


def graph(text: str, suffix: str = "") -> dict[str, Any]:
    return {
        "1": node("Text", text=text),
        "2": node("Join", a=["1", 0], b=suffix),
        "3": node("Show", text=["2", 0]),
    }


def plenty() -> MemoryPressureCache:
    return MemoryPressureCache(0, lambda: 1)


KEEPING: list[Callable[[], Cache]] = [ClassicCache, lambda: LruCache(10), plenty]


@pytest.mark.parametrize("make", KEEPING)
def test_changed_constant_runs_downstream_only(make: Callable[[], Cache]) -> None:
    toys = basic(make())
    assert toys.run(graph("a")).end.outputs["3"] == {"text": ["a"]}
    story = toys.run(graph("a", "!"))
    assert toys.calls == ["Join", "Show"]
    assert story.events[1].nodes == ["1"]
    assert story.end.outputs["3"] == {"text": ["a!"]}


@pytest.mark.parametrize("make", [*KEEPING, NoCache])
def test_clear_forgets_everything(make: Callable[[], Cache]) -> None:
    toys = basic(make())
    toys.run(graph("a"))
    toys.executor.clear()
    toys.run(graph("a"))
    assert toys.calls == ["Text", "Join", "Show"]


def test_classic_keeps_only_what_the_current_graph_can_use() -> None:
    toys = basic(ClassicCache())
    for text in ("a", "b", "a"):
        toys.run(graph(text))
        assert toys.calls == ["Text", "Join", "Show"]


def test_lru_keeps_results_of_earlier_graphs() -> None:
    toys = basic(LruCache(6))
    for text in ("a", "b"):
        toys.run(graph(text))
    for text in ("a", "b"):
        toys.run(graph(text))
        assert toys.calls == []
    toys.run(graph("c"))
    toys.run(graph("b"))
    assert toys.calls == []
    toys.run(graph("a"))
    assert toys.calls == ["Text", "Join", "Show"]


def test_none_keeps_nothing() -> None:
    toys = basic(NoCache())
    for _ in range(2):
        story = toys.run(graph("a"))
        assert toys.calls == ["Text", "Join", "Show"]
        assert story.events[1].nodes == []


@pytest.mark.parametrize("make", [ClassicCache, lambda: LruCache(5), plenty])
def test_failed_run_keeps_what_was_done(make: Callable[[], Cache]) -> None:
    toys = basic(make())
    document = {"1": node("Text", text="a"), "2": node("Fail", text=["1", 0]), "3": node("Show", text=["2", 0])}
    toys.run(document)
    story = toys.run(document)
    assert story.events[1].nodes == ["1"]
    assert toys.calls == ["Fail"]
    assert story.end.current_outputs == ["1"]


def test_identical_nodes_share_a_result_within_a_run() -> None:
    toys = basic()
    story = toys.run(
        {
            "1": node("Text", text="a"),
            "2": node("Text", text="a"),
            "3": node("Show", text=["1", 0]),
            "4": node("Show", text=["2", 0]),
        }
    )
    assert toys.calls == ["Text", "Show"]
    assert story.end.outputs == {"3": {"text": ["a"]}, "4": {"text": ["a"]}}


@pytest.mark.parametrize("make", [ClassicCache, lambda: LruCache(20), NoCache])
def test_a_thousand_different_graphs_leave_a_bounded_number_of_results(make: Callable[[], Cache]) -> None:
    cache = make()
    toys = basic(cache)
    for index in range(1000):
        toys.run(graph(f"text {index}"))
    kept = len(cache) if isinstance(cache, (ClassicCache, LruCache)) else 0
    assert kept <= 20


class Value:
    """Something whose life can be watched."""


def watched(toys: Toys) -> list[weakref.ref[Value]]:
    made: list[weakref.ref[Value]] = []

    def make() -> tuple[Value]:
        value = Value()
        made.append(weakref.ref(value))
        return (value,)

    toys.add("Make", make, output=["VALUE"])
    return made


def test_none_drops_results_as_soon_as_nothing_needs_them() -> None:
    toys = Toys(NoCache())
    made = watched(toys)
    alive: list[int] = []

    def use(value: Value) -> tuple[str]:
        return (type(value).__name__,)

    def count(text: str) -> dict[str, Any]:
        gc.collect()
        alive.append(sum(reference() is not None for reference in made))
        return {"ui": {"text": [text]}}

    toys.add("Use", use, required={"value": "VALUE"}, output=["STRING"])
    toys.add("Count", count, required={"text": "STRING"}, output_node=True)
    toys.run({"1": node("Make"), "2": node("Use", value=["1", 0]), "3": node("Count", text=["2", 0])})
    assert alive == [0]


def test_classic_drops_the_results_of_the_graph_before() -> None:
    toys = Toys()
    made = watched(toys)
    toys.add("End", lambda value=None: {}, optional={"value": "*"}, output_node=True)
    toys.run({"1": node("Make"), "2": node("End", value=["1", 0])})
    gc.collect()
    assert made[0]() is not None
    toys.run({"2": node("End")})
    gc.collect()
    assert made[0]() is None


def test_memory_pressure_evicts_large_and_old_results_first() -> None:
    free = 1000
    cache = MemoryPressureCache(100, lambda: free, clock=lambda: 0.0)
    results = {name: NodeResult(([b"x" * size],)) for name, size in {"old": 500, "small": 1, "new": 500}.items()}
    cache.begin([], [])
    cache.put(b"old", results["old"])
    cache.put(b"small", results["small"])
    cache.begin([], [])
    cache.put(b"new", results["new"])
    free = 50
    cache.end()
    assert cache.get(b"old") is None
    assert cache.get(b"small") is results["small"]
    assert cache.get(b"new") is results["new"]
    free = -1000
    cache.end()
    assert len(cache) == 0


def test_evicted_result_of_a_root_is_computed_again() -> None:
    free = 1000
    cache = MemoryPressureCache(100, lambda: free)
    toys = basic(cache)
    toys.run(graph("a"))
    original = cache.get
    asked: list[bytes] = []

    def get_until_asked(key: bytes) -> NodeResult | None:
        asked.append(key)
        return original(key) if len(asked) <= 4 else None  # three hits at the start, one when the root is asked for

    cache.get = get_until_asked  # type: ignore[method-assign]
    story = toys.run(graph("a"))
    assert toys.calls == ["Text", "Join", "Show"]
    assert story.end.outputs == {"3": {"text": ["a"]}}


def test_size_counts_arrays_in_main_memory() -> None:
    class Array:
        nbytes = 1000

    class OnDevice(Array):
        is_cpu = False

    assert size_bytes(([Array()], {"samples": Array(), "on": [OnDevice()]})) == 2000
    assert size_bytes("x" * 100) >= 100
