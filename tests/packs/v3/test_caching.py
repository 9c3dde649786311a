"""A pack's cache provider, registered through the API, is the one that the executor asks."""

import asyncio

import pytest

from inglenook.packs.v3 import caching
from inglenook.packs.v3.runtime import ComfyAPI, ComfyAPISync


class Kept(caching.CacheProvider):
    async def on_lookup(self, context):
        return None

    async def on_store(self, context, value):
        pass


def test_a_provider_is_registered_and_taken_back():
    provider = Kept()
    asyncio.run(ComfyAPI().caching.register_provider(provider))
    assert caching.registered
    assert provider.should_cache(caching.CacheContext("1", "Acme", "00"))
    ComfyAPISync().caching.unregister_provider(provider)
    assert not caching.registered


def test_what_lacks_a_hook_is_refused_by_name():
    with pytest.raises(TypeError, match="lacks should_cache, on_lookup"):
        ComfyAPISync().caching.register_provider(object())
