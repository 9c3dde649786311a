"""The client with the server it was made for."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inglenook.client import AsyncClient, Client, Event, JobInterrupted, PromptRejected
from inglenook.client.events import JobStarted, JobSucceeded, NodeOutput, NodesCached, QueueStatus
from tests.api.live import LiveServer, blocking_graph, new_color, working_graph
from tests.cli.conftest import GRAPH

DEADLINE_S = 120


def unique(number: int) -> dict[str, Any]:
    graph: dict[str, Any] = json.loads(json.dumps(GRAPH))
    graph["1"]["inputs"]["color"] = 0xC0FFEE + number  # that no other test uses
    return graph


@pytest.fixture
async def client(live: LiveServer) -> AsyncIterator[AsyncClient]:
    async with asyncio.timeout(DEADLINE_S), AsyncClient(live.url) as client:
        yield client


async def test_many_jobs_of_one_client_end_once_each(client: AsyncClient) -> None:
    seen: list[list[Event]] = [[] for _ in range(20)]
    results = await asyncio.gather(
        *(client.run(unique(number), on_event=events.append) for number, events in enumerate(seen))
    )
    assert len({outputs.images[0].filename for outputs in results}) == 20
    for events in seen:
        assert sum(isinstance(event, JobSucceeded) for event in events) == 1


async def test_a_job_that_ended_long_ago_is_followed_and_waited_for(client: AsyncClient) -> None:
    outputs = await client.run(unique(100))
    events = [event async for event in client.events(outputs.prompt_id) if not isinstance(event, QueueStatus)]
    assert [type(event) for event in events] == [NodeOutput, JobSucceeded]
    assert await client.wait(outputs.prompt_id) == outputs


async def test_a_repeated_graph_is_answered_from_the_cache(client: AsyncClient) -> None:
    await client.run(unique(101))
    events: list[Event] = []
    await client.run(unique(101), on_event=events.append)
    cached = next(event for event in events if isinstance(event, NodesCached))
    assert "1" in cached.nodes


async def test_the_same_prompt_id_is_the_same_job(client: AsyncClient) -> None:
    first = await client.submit(unique(102), prompt_id="once")
    second = await client.submit(unique(102), prompt_id="once")
    assert first == second
    assert len((await client.wait("once")).images) == 1


async def test_cancel_reaches_a_running_job(client: AsyncClient) -> None:
    started = asyncio.Event()

    def note(event: Event) -> None:
        if isinstance(event, JobStarted):
            started.set()

    running = asyncio.create_task(client.run(blocking_graph(new_color()), prompt_id="long", on_event=note))
    await started.wait()
    await client.cancel("long")
    with pytest.raises(JobInterrupted):
        await running
    assert "long" not in await client.queue()


def test_the_synchronous_client_uploads_runs_and_downloads(live: LiveServer, tmp_path: Path) -> None:
    with Client(live.url) as client:
        made = client.save(client.run(unique(103)).images[0], tmp_path)
        uploaded = client.upload_image(made, subfolder="again", overwrite=True)
        graph = {
            "1": {"class_type": "LoadImage", "inputs": {"image": uploaded.reference}},
            "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
        }
        (preview,) = client.run(graph).images
        assert preview.type == "temp"
        assert client.download(preview).startswith(b"\x89PNG")
        assert "EmptyImage" in client.object_info("EmptyImage")
        with pytest.raises(PromptRejected) as raised:
            client.run({"1": {"class_type": "EmptyImage", "inputs": {}}, "2": GRAPH["2"]})
    assert set(raised.value.node_errors) == {"1"}


async def test_a_job_is_followed_through_the_death_of_its_server(tmp_path: Path) -> None:
    server = await asyncio.to_thread(LiveServer(tmp_path).start)
    started = asyncio.Event()

    def note(event: Event) -> None:
        if isinstance(event, JobStarted):
            started.set()

    async with asyncio.timeout(DEADLINE_S), AsyncClient(server.url) as client:
        running = asyncio.create_task(client.run(working_graph(7, nodes=100), on_event=note))
        await started.wait()
        server.stop(signal.SIGKILL)
        await asyncio.to_thread(server.start)
        outputs = await running
    assert len(outputs.images) == 1
    server.stop()
