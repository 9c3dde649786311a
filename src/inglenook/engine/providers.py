"""Caches outside this process: code that is asked for results before nodes run, and told of new ones.

A provider sees a key as a digest of everything that a result depends on (see `keys`), equal on every machine for equal
graphs. Nodes that are always changed have no key and are never asked for.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from inglenook.engine.cache import NodeResult

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CacheContext:
    """The node that is asked for."""

    node_id: str
    class_type: str
    cache_key_hash: str
    """Hexadecimal digest of what the result depends on."""


@dataclass(slots=True)
class CacheValue:
    """A node's result."""

    outputs: Sequence[Any]
    """Per output slot its list of values."""
    ui: Mapping[str, list[Any]] | None = None


class CacheProvider(Protocol):
    """What keeps results elsewhere. Every hook may be asynchronous; one that raises is logged and counts as no."""

    def should_cache(self, context: CacheContext, value: CacheValue | None = None) -> Any:
        """Whether to ask for this node (value None), or to be told of its result."""

    def on_lookup(self, context: CacheContext) -> Any:
        """The CacheValue of this node, or None."""

    def on_store(self, context: CacheContext, value: CacheValue) -> Any:
        """A node ran and gave this."""

    def on_prompt_start(self, prompt_id: str) -> Any:
        """A run begins."""

    def on_prompt_end(self, prompt_id: str) -> Any:
        """It is over."""


class Providers:
    """Asks one provider after another."""

    def __init__(self) -> None:
        self._registered: list[CacheProvider] = []

    def __bool__(self) -> bool:
        return bool(self._registered)

    def add(self, provider: CacheProvider) -> None:
        """Ask `provider`, too, from the next run on."""
        if provider not in self._registered:
            self._registered.append(provider)

    def remove(self, provider: CacheProvider) -> None:
        """Ask it no more; nothing happens when it was never added."""
        if provider in self._registered:
            self._registered.remove(provider)

    def begin(self, job_id: str, wait_for: Callable[[Any], Any]) -> None:
        for provider in self._registered:
            _ask(wait_for, provider.on_prompt_start, job_id)

    def end(self, job_id: str, wait_for: Callable[[Any], Any]) -> None:
        for provider in self._registered:
            _ask(wait_for, provider.on_prompt_end, job_id)

    def lookup(self, context: CacheContext, slots: int, wait_for: Callable[[Any], Any]) -> NodeResult | None:
        """The first result that a provider has. slots: how many outputs the class has."""
        for provider in self._registered:
            if not _ask(wait_for, provider.should_cache, context):
                continue
            value = _ask(wait_for, provider.on_lookup, context)
            if value is None:
                continue
            outputs = tuple(list(values) for values in value.outputs)
            if len(outputs) >= slots:
                return NodeResult(outputs, None if value.ui is None else dict(value.ui))
            logger.warning(
                "a cache gave %d outputs for %s, which has %d: not used", len(outputs), context.class_type, slots
            )
        return None

    def store(self, context: CacheContext, result: NodeResult, wait_for: Callable[[Any], Any]) -> None:
        """Tell every provider that wants to know."""
        value = CacheValue([list(values) for values in result.outputs], result.ui)
        for provider in self._registered:
            if _ask(wait_for, provider.should_cache, context, value):
                _ask(wait_for, provider.on_store, context, value)


def _ask(wait_for: Callable[[Any], Any], hook: Callable[..., Any], *arguments: Any) -> Any:
    try:
        answer = hook(*arguments)
        return wait_for(answer) if inspect.isawaitable(answer) else answer
    except Exception:
        logger.warning("a cache provider failed in %s", getattr(hook, "__qualname__", hook), exc_info=True)
        return None
