"""What a front costs: the same trivial jobs, in turns sent to a server and to a front with that server behind it.

    python bench/pool_bench.py [--pairs 200] [--kinds preview,cached]

One client, one job at a time. Each pair is one job straight to the server and one through the front, in changing order,
so that whatever else the machine does disturbs both alike. Prints JSON lines: quartiles of the time from the request
until the client hears an event (first of the run, first output, end), those of its difference within a pair, and of the
CPU that a job takes (all threads, from /proc in nanoseconds, so Linux only).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).parent))
from server_bench import Server, load, picture_graph, report, running, tree

_SETTLE_S = 0.03
"""Between jobs, so that what a server does after an end is not counted with the next job."""
_FRONT = """
import json, sys
from inglenook.api.server import serve
from inglenook.settings import Settings
serve(Settings(**json.loads(sys.argv[1]), local=False, comfyui_servers=["{url}"]))
"""
_MOMENTS = {"execution_start": "start", "executed": "output", "execution_success": "end"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--kinds", default="preview,cached")
    options = parser.parse_args()
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        far = stack.enter_context(running(folders[0]))
        far.wait_ready()
        front = stack.enter_context(running(folders[1], _FRONT.replace("{url}", far.url)))
        front.wait_ready()
        for kind in options.kinds.split(","):
            asyncio.run(compare(far, front, kind, options.pairs))


@dataclass
class Job:
    """One job, as its client saw it."""

    moments_ms: dict[str, float]
    """From the request to when the event was heard."""
    far_cpu_ms: float
    front_cpu_ms: float


class Client:
    """One client of one server."""

    def __init__(self, http: aiohttp.ClientSession, server: Server, watched: Sequence[int]) -> None:
        self._http, self._url = http, server.url
        self._id = uuid.uuid4().hex
        self._watched = watched

    async def open(self) -> None:
        self._socket = await self._http.ws_connect(f"{self._url}/ws?clientId={self._id}", max_msg_size=0)

    async def run(self, graph: dict[str, Any]) -> Job:
        before = [cpu_ms(pid) for pid in self._watched]
        moments: dict[str, float] = {}
        began = time.perf_counter()
        async with self._http.post(f"{self._url}/prompt", json={"prompt": graph, "client_id": self._id}) as reply:
            prompt_id = (await reply.json())["prompt_id"]
        while "end" not in moments:
            message = await self._socket.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            event = json.loads(message.data)
            if event["data"].get("prompt_id") == prompt_id and event["type"] in _MOMENTS:
                moments.setdefault(_MOMENTS[event["type"]], (time.perf_counter() - began) * 1000)
        await asyncio.sleep(_SETTLE_S)
        far, front = (cpu_ms(pid) - at for pid, at in zip(self._watched, before, strict=True))
        return Job(moments, far, front)


def cpu_ms(pid: int) -> float:
    """What all threads of a process and of those below it have run for."""
    total = 0
    for process in tree(pid):
        for task in Path(f"/proc/{process}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                continue  # a thread that has ended meanwhile
    return total / 1e6


async def compare(far: Server, front: Server, kind: str, pairs: int) -> None:
    watched = (far.pid, front.pid)
    direct: list[Job] = []
    through: list[Job] = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as http:
        sides = [(Client(http, far, watched), direct), (Client(http, front, watched), through)]
        for client, _ in sides:
            await client.open()
            for _ in range(10):
                await client.run(graph_of(kind))
        for number in range(pairs):
            for client, jobs in sides if number % 2 else sides[::-1]:
                jobs.append(await client.run(graph_of(kind)))
    for moment in ("start", "output", "end"):
        each = [
            (one.moments_ms[moment], other.moments_ms[moment])
            for one, other in zip(direct, through, strict=True)
            if moment in one.moments_ms and moment in other.moments_ms
        ]
        if each:
            report(
                f"pool_{kind}_{moment}_ms",
                direct=quartiles([one for one, _ in each]),
                front=quartiles([other for _, other in each]),
                more=quartiles([other - one for one, other in each]),
            )
    report(
        f"pool_{kind}_cpu_ms",
        server_direct=quartiles([job.far_cpu_ms for job in direct]),
        server_behind_front=quartiles([job.far_cpu_ms for job in through]),
        front=quartiles([job.front_cpu_ms for job in through]),
        front_idle=quartiles([job.front_cpu_ms for job in direct]),
        pairs=pairs,
        load=load(),
    )


def graph_of(kind: str) -> dict[str, Any]:
    return picture_graph(random.randrange(1 << 24) if kind == "preview" else 0, "PreviewImage")


def quartiles(values: Sequence[float]) -> list[float]:
    return [round(value, 2) for value in statistics.quantiles(values, n=4)]


if __name__ == "__main__":
    main()
