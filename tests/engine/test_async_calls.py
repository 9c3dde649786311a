"""Asynchronous nodes overlap, and end with their run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from inglenook.engine.context import check_interrupted, current, progress
from inglenook.engine.events import Failed, Interrupted, NodeStarted, Progress, Succeeded
from tests.engine.toys import Toys, basic, node


@pytest.fixture
def toys() -> Any:
    made = basic()
    with made.executor:
        yield made


def test_asynchronous_nodes_overlap_with_each_other_and_with_others(toys: Toys) -> None:
    arrived: list[str] = []
    all_here = asyncio.Event()

    async def meet(name: str) -> tuple[str]:
        """Returns when three of them run at once."""
        arrived.append(name)
        if len(arrived) == 3:
            all_here.set()
        await asyncio.wait_for(all_here.wait(), 60)
        return (name,)

    toys.add("Meet", meet, required={"name": "STRING"}, output=["STRING"], is_async=True)
    graph: dict[str, Any] = {f"m{name}": node("Meet", name=name) for name in "abc"}
    graph |= {f"s{name}": node("Show", text=[f"m{name}", 0]) for name in "abc"}
    graph["t"] = node("Text", text="quick")
    graph["st"] = node("Show", text=["t", 0])
    story = toys.run(graph)
    assert isinstance(story.end, Succeeded)
    assert [event.node.node_id for event in story.of(NodeStarted)][:3] == ["ma", "mb", "mc"]
    names = story.names()
    assert names.index("NodeDone st") < names.index("NodeDone sa")
    assert story.end.outputs["sc"] == {"text": ["c"]}


def test_calls_over_a_list_overlap_and_keep_their_order(toys: Toys) -> None:
    gate = asyncio.Event()

    async def wait_for_last(text: str) -> tuple[str]:
        if text == "c":
            gate.set()
        await asyncio.wait_for(gate.wait(), 60)
        context = current()
        assert context is not None
        return (f"{text}{context.call_index}",)

    toys.add("Many", lambda: (["a", "b", "c"],), output=["STRING"], lists=[True])
    toys.add("Wait", wait_for_last, required={"text": "STRING"}, output=["STRING"])
    graph = {"1": node("Many"), "2": node("Wait", text=["1", 0]), "3": node("Show", text=["2", 0])}
    assert toys.run(graph).end.outputs["3"] == {"text": ["a0", "b1", "c2"]}


def test_progress_of_an_asynchronous_node_bears_its_name(toys: Toys) -> None:
    async def steps() -> tuple[str]:
        for step in range(3):
            progress(step, 3)
            await asyncio.sleep(0)
        return ("done",)

    toys.add("Steps", steps, output=["STRING"])
    story = toys.run({"1": node("Steps"), "2": node("Show", text=["1", 0])})
    assert [(event.node.node_id, event.value) for event in story.of(Progress)] == [("1", 0), ("1", 1), ("1", 2)]


@pytest.mark.parametrize("error", [ValueError("boom"), SystemExit(1), asyncio.CancelledError()])
def test_exception_of_an_asynchronous_node_fails_the_run(toys: Toys, error: BaseException) -> None:
    ended: list[str] = []

    async def fail(text: str) -> None:
        await asyncio.sleep(0)
        raise error

    async def linger() -> tuple[str]:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")
        return ("",)

    toys.add("Fail", fail, required={"text": "STRING"}, output=["STRING"])
    toys.add("Linger", linger, output=["STRING"], is_async=True)
    graph = {
        "1": node("Fail", text="t"),
        "2": node("Show", text=["1", 0]),
        "3": node("Linger"),
        "4": node("Show", text=["3", 0]),
    }
    end = toys.run(graph).end
    assert isinstance(end, Failed)
    assert (end.node_id, end.inputs) == ("1", {"text": ["t"]})
    assert ended == ["cancelled"]
    assert isinstance(toys.run({"2": node("Show", text="next")}).end, Succeeded)


def test_interrupt_ends_asynchronous_nodes(toys: Toys) -> None:
    ended: list[str] = []

    async def linger() -> tuple[str]:
        toys.interrupted = True
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")
        return ("",)

    toys.add("Linger", linger, output=["STRING"])
    end = toys.run({"1": node("Linger"), "2": node("Show", text=["1", 0])}).end
    assert isinstance(end, Interrupted)
    assert (end.node_id, ended) == ("1", ["cancelled"])


def test_node_that_notices_the_interrupt_itself(toys: Toys) -> None:
    async def steps() -> tuple[str]:
        toys.interrupted = True
        await asyncio.sleep(0)
        check_interrupted()
        return ("",)

    toys.add("Steps", steps, output=["STRING"])
    assert isinstance(toys.run({"1": node("Steps"), "2": node("Show", text=["1", 0])}).end, Interrupted)


def test_any_awaitable_will_do_and_results_are_cached(toys: Toys) -> None:
    class Later:
        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            return ("later",)

    toys.add("Later", lambda: Later(), output=["STRING"])
    graph = {"1": node("Later"), "2": node("Show", text=["1", 0])}
    assert toys.run(graph).end.outputs["2"] == {"text": ["later"]}
    toys.run(graph)
    assert toys.calls == []


def test_cancelled_before_its_first_step(toys: Toys) -> None:
    async def never() -> tuple[str]:
        raise AssertionError("must not start")

    def stop(text: str) -> None:
        toys.interrupted = True

    toys.add("Two", lambda: (["a", "b"],), output=["STRING"], lists=[True])
    toys.add(
        "Never",
        lambda text: toys.__setattr__("interrupted", True) or never(),
        required={"text": "STRING"},
        output=["STRING"],
    )
    end = toys.run({"1": node("Two"), "2": node("Never", text=["1", 0]), "3": node("Show", text=["2", 0])}).end
    assert isinstance(end, Interrupted)
