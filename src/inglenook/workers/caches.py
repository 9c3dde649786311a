"""Which cache keeps the results of nodes, as the settings say."""

from __future__ import annotations

import psutil

from inglenook.engine.cache import Cache, ClassicCache, LruCache, NoCache
from inglenook.engine.memory import MemoryPressureCache
from inglenook.settings import Settings

_GB = 1 << 30


def make_cache(settings: Settings) -> Cache:
    """The cache that `cache`, `cache_lru_size` and `cache_ram_gb` describe."""
    match settings.cache:
        case "none":
            return NoCache()
        case "lru":
            return LruCache(settings.cache_lru_size) if settings.cache_lru_size else ClassicCache()
        case "ram":
            unused_gb = settings.cache_ram_unused_gb or settings.cache_ram_gb
            return MemoryPressureCache(
                round(settings.cache_ram_gb * _GB),
                lambda: int(psutil.virtual_memory().available),
                min_free_bytes_for_unused=round(unused_gb * _GB),
            )
        case "classic":
            return ClassicCache()
