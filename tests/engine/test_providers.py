"""Caches outside the process: asked before nodes run, told of what they gave."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from inglenook.engine.cache import ClassicCache, NoCache
from inglenook.engine.events import Cached, Succeeded
from inglenook.engine.providers import CacheContext, CacheValue, Providers
from tests.engine.toys import Toys


class Memory:
    """A provider that keeps everything in a dict."""

    def __init__(self) -> None:
        self.kept: dict[str, CacheValue] = {}
        self.told: list[str] = []

    def should_cache(self, context: CacheContext, value: CacheValue | None = None) -> bool:
        return context.class_type != "Private"

    async def on_lookup(self, context: CacheContext) -> CacheValue | None:
        await asyncio.sleep(0)
        return self.kept.get(context.cache_key_hash)

    async def on_store(self, context: CacheContext, value: CacheValue) -> None:
        self.kept[context.cache_key_hash] = value

    def on_prompt_start(self, prompt_id: str) -> None:
        self.told.append(f"start {prompt_id}")

    async def on_prompt_end(self, prompt_id: str) -> None:
        self.told.append(f"end {prompt_id}")


class Broken(Memory):
    async def on_lookup(self, context: CacheContext) -> CacheValue | None:
        raise OSError("no connection")

    def on_store(self, context: CacheContext, value: CacheValue) -> Any:  # type: ignore[override]
        raise OSError("no connection")


Make = Callable[..., Toys]


@pytest.fixture
def toys() -> Iterator[Make]:
    """A function that makes toys with a provider, as another process would."""
    with contextlib.ExitStack() as stack:

        def make(provider: Any, cache: Any = None) -> Toys:
            made = toys_with(provider, cache)
            stack.enter_context(made.executor)
            return made

        yield make


def toys_with(provider: Any, cache: Any) -> Toys:
    providers = Providers()
    providers.add(provider)
    made = Toys(cache, providers=providers)
    made.add("Text", lambda text: (text,), required={"text": "STRING"}, output=["STRING"])
    made.add("Private", lambda text: (text,), required={"text": "STRING"}, output=["STRING"])
    made.add(
        "Changing",
        lambda text: (text,),
        required={"text": "STRING"},
        output=["STRING"],
        fingerprint=lambda text: float("nan"),
    )
    made.add("Show", lambda text: {"ui": {"text": [text]}}, required={"text": "STRING"}, output_node=True)
    return made


def graph(kind: str = "Text") -> dict[str, Any]:
    return {
        "1": {"class_type": kind, "inputs": {"text": "a"}},
        "2": {"class_type": "Show", "inputs": {"text": ["1", 0]}},
    }


@pytest.mark.parametrize("cache", [ClassicCache, NoCache])
def test_another_process_takes_results_from_the_provider(toys: Make, cache: type) -> None:
    provider = Memory()
    first = toys(provider, cache())
    assert isinstance(first.run(graph()).end, Succeeded)
    second = toys(provider, cache())
    story = second.run(graph())
    assert second.calls == []
    assert story.of(Cached)[0].nodes == ["1", "2"]
    assert story.end.outputs == {"2": {"text": ["a"]}}
    assert provider.told == ["start job", "end job"] * 2


def test_only_what_the_provider_wants_reaches_it(toys: Make) -> None:
    provider = Memory()
    toys(provider).run(graph("Private"))
    assert len(provider.kept) == 1
    again = toys(provider)
    again.run(graph("Private"))
    assert again.calls == []  # its consumer was kept


def test_nodes_that_always_run_are_not_asked_for(toys: Make) -> None:
    provider = Memory()
    toys(provider).run(graph("Changing"))
    assert provider.kept == {}
    again = toys(provider)
    again.run(graph("Changing"))
    assert again.calls == ["Changing", "Show"]


def test_a_provider_that_fails_costs_nothing_but_its_results(toys: Make, caplog: pytest.LogCaptureFixture) -> None:
    made = toys(Broken())
    story = made.run(graph())
    assert isinstance(story.end, Succeeded)
    assert made.calls == ["Text", "Show"]
    assert "on_lookup" in caplog.text
    assert "on_store" in caplog.text


def test_a_result_with_too_few_outputs_is_not_used(toys: Make, caplog: pytest.LogCaptureFixture) -> None:
    provider = Memory()
    toys(provider).run(graph())
    provider.kept = {key: CacheValue([]) for key, value in provider.kept.items() if value.outputs}
    again = toys(provider)
    assert isinstance(again.run(graph()).end, Succeeded)
    assert "Text" in again.calls
    assert "not used" in caplog.text


def test_a_provider_that_was_removed_is_not_asked() -> None:
    provider, providers = Memory(), Providers()
    providers.add(provider)
    providers.add(provider)
    providers.remove(provider)
    providers.remove(provider)
    assert not providers
