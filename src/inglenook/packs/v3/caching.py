"""Cache providers of packs: results kept outside the process, on another machine for instance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from inglenook.engine import providers as engine
from inglenook.engine.providers import CacheContext, CacheValue, Providers

__all__ = ["CacheContext", "CacheProvider", "CacheValue", "registered"]

registered = Providers()
"""Those of this process; the executor asks them."""


class CacheProvider(ABC):
    """Base of a pack's provider; see `engine.providers` for what its hooks mean."""

    def should_cache(self, context: CacheContext, value: CacheValue | None = None) -> Any:
        return True

    @abstractmethod
    async def on_lookup(self, context: CacheContext) -> CacheValue | None:
        """The result of a node, or None."""

    @abstractmethod
    async def on_store(self, context: CacheContext, value: CacheValue) -> None:
        """Keep the result of a node."""

    def on_prompt_start(self, prompt_id: str) -> Any:  # noqa: B027 - a hook that may be left out
        """A run begins."""

    def on_prompt_end(self, prompt_id: str) -> Any:  # noqa: B027 - as above
        """It is over."""


def register(provider: engine.CacheProvider) -> None:
    """Ask `provider` from the next run on. Raises TypeError for what lacks a hook."""
    missing = [
        hook
        for hook in ("should_cache", "on_lookup", "on_store", "on_prompt_start", "on_prompt_end")
        if not callable(getattr(provider, hook, None))
    ]
    if missing:
        raise TypeError(f"{type(provider).__qualname__} is no cache provider: it lacks {', '.join(missing)}")
    registered.add(provider)
