"""One suite for both clients: `client` is the asyncio one, or the synchronous one in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from inglenook.client import AsyncClient, Client, Event, Outputs
from tests.client.peer import Peer


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with Peer().serving() as peer:
        yield peer


class AnyClient:
    """Either client behind awaitable methods."""

    def __init__(self, kind: str, url: str, **options: Any) -> None:
        self.inner: AsyncClient | Client = AsyncClient(url, **options) if kind == "async" else Client(url, **options)

    async def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        bound = getattr(self.inner, method)
        async with asyncio.timeout(60):
            if isinstance(self.inner, AsyncClient):
                return await bound(*arguments, **options)
            return await asyncio.to_thread(bound, *arguments, **options)

    async def run(self, graph: Any, **options: Any) -> tuple[Outputs, list[Event]]:
        events: list[Event] = []
        return await self.call("run", graph, on_event=events.append, **options), events

    async def events(self, prompt_id: str) -> list[Event]:
        async with asyncio.timeout(60):
            if isinstance(self.inner, AsyncClient):
                return [event async for event in self.inner.events(prompt_id)]
            return await asyncio.to_thread(list, self.inner.events(prompt_id))

    async def close(self) -> None:
        await self.call("close")


@pytest.fixture(params=["async", "sync"])
async def make_client(request: pytest.FixtureRequest, peer: Peer) -> AsyncIterator[Callable[..., AnyClient]]:
    made: list[AnyClient] = []

    def make(url: str = peer.url, **options: Any) -> AnyClient:
        made.append(AnyClient(request.param, url, **options))
        return made[-1]

    yield make
    for client in made:
        await client.close()


@pytest.fixture
def client(make_client: Callable[..., AnyClient]) -> AnyClient:
    return make_client()
