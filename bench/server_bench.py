"""A whole server under load: start, memory at rest, jobs per second, CPU per job, long chains. Prints JSON lines.

    python bench/server_bench.py [--jobs 600] [--sections start,jobs,chains]

Starts a server of its own on a temporary folder and a free port (CPU only). CPU is that of the server's whole process
tree, from /proc, so Linux only. Read CPU rather than rates: they are disturbed less by whatever else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp

SOURCE = Path(__file__).parent.parent / "src"
_PROGRAM = """
import json, sys
from inglenook.api.server import serve
from inglenook.settings import Settings
serve(Settings(**json.loads(sys.argv[1])))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=600)
    parser.add_argument("--sections", default="start,jobs,chains")
    options = parser.parse_args()
    sections = options.sections.split(",")
    with tempfile.TemporaryDirectory() as folder:
        if "start" in sections:
            for _ in range(5):
                with running(Path(folder)) as server:
                    report("start", first_answer_s=round(server.first_answer_s, 3), load=load())
                    time.sleep(6)
                    report("rest", serve_process_mb=round(resident_mb(server.pid), 1), load=load())
        with running(Path(folder)) as server:
            if "jobs" in sections:
                for kind in ("preview", "cached", "save"):
                    for clients in (1, 16):
                        asyncio.run(jobs(server, kind, clients, options.jobs))
            if "chains" in sections:
                for length in (100, 1000, 10_000):
                    asyncio.run(chain(server, length))


def report(what: str, **figures: Any) -> None:
    print(json.dumps({"bench": what, **figures}), flush=True)


def load() -> float:
    return round(os.getloadavg()[0], 2)


class Server:
    def __init__(self, process: subprocess.Popen[bytes], port: int, started: float) -> None:
        self.pid = process.pid
        self.url = f"http://127.0.0.1:{port}"
        self.first_answer_s = self._wait("/system_stats", started)

    def _wait(self, path: str, started: float) -> float:
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(self.url + path, timeout=5):
                return time.perf_counter() - started
            time.sleep(0.005)

    def wait_ready(self) -> None:
        """Wait until the device process is there and has finished importing."""
        while True:
            with urllib.request.urlopen(self.url + "/api/health", timeout=5) as reply:
                if json.load(reply)["workers"][0]["state"] == "ready":
                    break
            time.sleep(0.05)
        before = -1.0
        while cpu_s(self.pid) - before > 0.05:
            before = cpu_s(self.pid)
            time.sleep(1)


@contextlib.contextmanager
def running(base: Path, program: str = _PROGRAM) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = json.dumps({"base_directory": str(base), "port": port, "cpu": True})
    started = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    process = subprocess.Popen([sys.executable, "-c", program, settings], env=environment)
    try:
        yield Server(process, port, started)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in tree(int(child)))]


def cpu_s(pid: int) -> float:
    """User and system time of a process and all below it."""
    ticks = 0
    for process in tree(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


def picture_graph(color: int, sink: str) -> dict[str, Any]:
    size = {"width": 64, "height": 64, "batch_size": 1, "color": color}
    inputs: dict[str, Any] = {"images": ["1", 0]}
    if sink == "SaveImage":
        inputs["filename_prefix"] = "bench"
    return {"1": {"class_type": "EmptyImage", "inputs": size}, "2": {"class_type": sink, "inputs": inputs}}


def chain_graph(length: int) -> dict[str, Any]:
    color = random.randrange(1 << 24)
    graph: dict[str, Any] = {
        "0": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": color}}
    }
    for index in range(1, length + 1):
        graph[str(index)] = {"class_type": "ImageInvert", "inputs": {"image": [str(index - 1), 0]}}
    graph["out"] = {"class_type": "PreviewImage", "inputs": {"images": [str(length), 0]}}
    return graph


class Client:
    """One socket and the jobs that are submitted for it."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url, self._id = session, url, uuid.uuid4().hex
        self.bytes = 0

    async def __aenter__(self) -> Client:
        self._socket = await self._session.ws_connect(f"{self._url}/ws?clientId={self._id}", max_msg_size=0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()

    async def run(self, graph: dict[str, Any]) -> None:
        """Submit a graph and return at its end event."""
        body = {"prompt": graph, "client_id": self._id}
        async with self._session.post(self._url + "/prompt", json=body) as reply:
            job_id = (await reply.json())["prompt_id"]
        while True:
            raw = await self._socket.receive_str()
            self.bytes += len(raw)
            if '"execution_success"' in raw[:40] and job_id in raw:
                return


async def jobs(server: Server, kind: str, clients: int, count: int) -> None:
    server.wait_ready()
    fixed = random.randrange(1 << 24)
    left = iter(range(count))

    async def work(client: Client) -> None:
        for _ in left:
            color = fixed if kind == "cached" else random.randrange(1 << 24)
            await client.run(picture_graph(color, "SaveImage" if kind == "save" else "PreviewImage"))

    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        contextlib.AsyncExitStack() as s,
    ):
        everyone = [await s.enter_async_context(Client(session, server.url)) for _ in range(clients)]
        await everyone[0].run(picture_graph(fixed, "PreviewImage"))
        cpu, started = cpu_s(server.pid), time.perf_counter()
        await asyncio.gather(*(work(client) for client in everyone))
        seconds = time.perf_counter() - started
    report(
        "jobs",
        kind=kind,
        clients=clients,
        jobs_per_s=round(count / seconds, 1),
        server_cpu_ms_per_job=round((cpu_s(server.pid) - cpu) / count * 1000, 2),
        load=load(),
    )


async def chain(server: Server, length: int) -> None:
    """Three chains one after another, the first to warm up; the figures are those of the better one of the others."""
    server.wait_ready()
    async with aiohttp.ClientSession() as session, Client(session, server.url) as client:
        rounds = []
        for _ in range(3):
            graph = chain_graph(length)
            client.bytes, cpu, started = 0, cpu_s(server.pid), time.perf_counter()
            await client.run(graph)
            rounds.append((time.perf_counter() - started, cpu_s(server.pid) - cpu))
            await asyncio.sleep(0.3)
    seconds, cpu_seconds = min(rounds[1:])
    report(
        "chain",
        nodes=length,
        ms_per_node=round(seconds / length * 1000, 3),
        server_cpu_ms_per_node=round(cpu_seconds / length * 1000, 3),
        socket_bytes_per_node=round(client.bytes / length),
        load=load(),
    )


if __name__ == "__main__":
    main()
