"""What sockets cost and what bad ones do to good ones. Prints JSON lines.

    python bench/socket_bench.py [--sections quiet,deaf,junk,pack,log,crowd,large]

Starts a server of its own on a temporary folder with a node pack that misbehaves. `event_ms` is how late a good socket
hears: the time from a node's `send_sync` to the client, in another process, every 10 ms. CPU is that of the server's
process alone (not of the device process), memory its resident set. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import random
import socket
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from server_bench import Server, load, report, resident_mb, running

PACK = """
import time
from server import PromptServer

class Node:
    CATEGORY = "bench"
    RETURN_TYPES = ()
    FUNCTION = "run"
    OUTPUT_NODE = True
    @classmethod
    def INPUT_TYPES(cls):
        integer = ("INT", {"default": 0, "max": 2**60})
        return {"required": {"seed": integer, "count": integer, "pad": integer, "sid": ("STRING", {"default": ""})}}

class Clock(Node):
    \"\"\"Tells the time, `count` times, every 10 ms, and everybody `pad` bytes.\"\"\"
    def run(self, seed, count, pad, sid):
        for _ in range(count):
            if pad:
                PromptServer.instance.send_sync("bench.pad", "x" * pad)
            PromptServer.instance.send_sync("bench.clock", {"at": time.time()}, sid)
            time.sleep(0.01)
        return {}

class Flood(Node):
    \"\"\"Sends `count` messages as fast as it can.\"\"\"
    def run(self, seed, count, pad, sid):
        for index in range(count):
            PromptServer.instance.send_sync("bench.flood", {"index": index, "pad": "x" * 100}, sid or None)
        return {}

class Fat(Node):
    \"\"\"Has `count` bytes to show.\"\"\"
    def run(self, seed, count, pad, sid):
        return {"ui": {"text": ["x" * count]}}

class Printer(Node):
    \"\"\"Prints `count` lines.\"\"\"
    def run(self, seed, count, pad, sid):
        for index in range(count):
            print("line", index, "of a node that has much to say")
        return {}

class Steps(Node):
    \"\"\"Reports `count` steps, one each 10 ms.\"\"\"
    def run(self, seed, count, pad, sid):
        import comfy.utils
        bar = comfy.utils.ProgressBar(count)
        for _ in range(count):
            time.sleep(0.01)
            bar.update(1)
        return {}

NODE_CLASS_MAPPINGS = {"Bench" + kind.__name__: kind for kind in (Clock, Flood, Fat, Printer, Steps)}
"""


_PROGRAM = """
import json, sys
from inglenook.api.server import serve
from inglenook.cli.logs import configure_logs
from inglenook.settings import Settings
settings = Settings(**json.loads(sys.argv[1]))
configure_logs("info", folder=settings.data_folder / "logs", console_level="error")
serve(settings)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", default="quiet,deaf,junk,pack,log,crowd,large")
    sections = parser.parse_args().sections.split(",")
    with tempfile.TemporaryDirectory() as folder:
        pack = Path(folder, "custom_nodes", "bench_pack")
        pack.mkdir(parents=True)
        (pack / "__init__.py").write_text(PACK)
        for section in sections:
            with running(Path(folder), _PROGRAM) as server:
                asyncio.run(_SECTIONS[section](server))


def graph(kind: str, count: int, sid: str = "", pad: int = 0) -> dict[str, Any]:
    inputs = {"seed": random.getrandbits(48), "count": count, "pad": pad, "sid": sid}
    return {"1": {"class_type": f"Bench{kind}", "inputs": inputs}}


async def submit(
    server: Server, kind: str, count: int, sid: str = "", client_id: str | None = None, pad: int = 0
) -> str:
    body = {"prompt": graph(kind, count, sid, pad), "client_id": client_id}
    async with aiohttp.ClientSession() as session, session.post(server.url + "/prompt", json=body) as reply:
        answer = await reply.json()
        return str(answer["prompt_id"])


async def ended(server: Server, job_id: str) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{server.url}/history/{job_id}") as reply:
                if await reply.json():
                    return
            await asyncio.sleep(0.1)


def own_cpu_s(server: Server) -> float:
    fields = Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# A good reader, in a process of its own so that the bench's own work delays it little.


def _listen(url: str, seconds: float, ready: Any, results: Any) -> None:
    async def listen() -> None:
        delays: list[float] = []
        async with aiohttp.ClientSession() as session, session.ws_connect(url + "/ws?clientId=probe") as websocket:
            ready.set()
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                started = time.perf_counter()
                with contextlib.suppress(TimeoutError):
                    await websocket.ping()
                    async with session.get(url + "/prompt") as reply:
                        await reply.read()
                    delays.append((time.perf_counter() - started) * 1000)
                await asyncio.sleep(min(0.01, left))
        results.put(delays)

    asyncio.run(listen())


@contextlib.asynccontextmanager
async def probing(server: Server, seconds: float) -> AsyncIterator[dict[str, Any]]:
    """Measure from another process how long a small request takes meanwhile; figures stand in the dict at the end."""
    figures: dict[str, Any] = {}
    ready, results = multiprocessing.Event(), multiprocessing.SimpleQueue()
    probe = multiprocessing.Process(target=_listen, args=(server.url, seconds, ready, results))
    probe.start()
    await asyncio.to_thread(ready.wait)
    cpu, started = own_cpu_s(server), time.perf_counter()
    yield figures
    delays = sorted(await asyncio.to_thread(results.get))
    used = (own_cpu_s(server) - cpu) / (time.perf_counter() - started)
    await asyncio.to_thread(probe.join)
    figures.update(
        request_ms_p50=round(statistics.median(delays), 2),
        request_ms_p95=round(delays[int(len(delays) * 0.95)], 2),
        request_ms_max=round(delays[-1], 1),
        server_cpu=round(used, 2),
        resident_mb=round(resident_mb(server.pid)),
        load=load(),
    )


async def clock(server: Server, count: int, pad: int = 0) -> dict[str, float]:
    """How late a client hears what a node sends to it, in milliseconds."""
    sid = uuid.uuid4().hex
    delays = []
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.url}/ws?clientId={sid}", max_msg_size=0) as websocket,
    ):
        await submit(server, "Clock", count, sid, sid, pad)
        async for raw in websocket:
            if raw.type is aiohttp.WSMsgType.TEXT:
                message = json.loads(raw.data)
                if message["type"] == "bench.clock":
                    delays.append((time.time() - message["data"]["at"]) * 1000)
                elif message["type"] == "executing" and message["data"]["node"] is None:
                    break
    delays.sort()
    return {
        "event_ms_p50": round(statistics.median(delays), 2),
        "event_ms_p95": round(delays[int(len(delays) * 0.95)], 2),
        "event_ms_max": round(delays[-1], 1),
    }


def deaf_socket(server: Server, sid: str | None = None) -> socket.socket:
    """A client that completes the handshake and reads nothing."""
    connection = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))
    query = f"?clientId={sid}" if sid else ""
    connection.sendall(
        f"GET /ws{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return connection


# Sections


async def quiet(server: Server) -> None:
    """Nothing bad happens."""
    server.wait_ready()
    async with probing(server, 4) as figures:
        events = await clock(server, 300)
    report("quiet", **events, **figures)


async def deaf(server: Server) -> None:
    """Twenty sockets read nothing while everybody is sent 20 MB a second; without them, and with them."""
    server.wait_ready()
    for count in (0, 20):
        deafs = [deaf_socket(server) for _ in range(count)]
        async with probing(server, 6) as figures:
            events = await clock(server, 400, 200_000)
        report("deaf", sockets=len(deafs), **events, **figures)
        for connection in deafs:
            connection.close()


async def junk(server: Server) -> None:
    """One client sends a million small messages and pings, as fast as they are taken."""
    server.wait_ready()
    connection = deaf_socket(server)
    frame = b"\x81\x82\x00\x00\x00\x00{}" * 1000
    sent = 0
    stop = asyncio.Event()

    async def flood() -> None:
        nonlocal sent
        loop = asyncio.get_running_loop()
        connection.setblocking(False)
        while not stop.is_set():
            await loop.sock_sendall(connection, frame)
            sent += 1000

    flooding = asyncio.create_task(flood())
    async with probing(server, 4) as figures:
        events = await clock(server, 300)
    stop.set()
    flooding.cancel()
    report("junk", messages=sent, **events, **figures)
    connection.close()


async def pack(server: Server) -> None:
    """A node sends 300,000 messages to everybody: ten sockets that read."""
    server.wait_ready()
    heard = [0] * 10
    codes: list[int | None] = []

    async def read(index: int, websocket: aiohttp.ClientWebSocketResponse) -> None:
        async for raw in websocket:
            heard[index] += "bench.flood" in raw.data[:30]
        codes.append(websocket.close_code)

    async with aiohttp.ClientSession() as session, contextlib.AsyncExitStack() as stack:
        readers = []
        for index in range(len(heard)):
            websocket = await stack.enter_async_context(session.ws_connect(f"{server.url}/ws?clientId=r{index}"))
            readers.append(asyncio.create_task(read(index, websocket)))
        started = time.perf_counter()
        job_id = await submit(server, "Flood", 300_000)
        async with probing(server, 5) as figures:
            pass
        await ended(server, job_id)
        seconds = time.perf_counter() - started
        await asyncio.sleep(1)
        closed = list(codes)
        for reader in readers:
            reader.cancel()
    report("pack", heard_least=min(heard), closed=closed, seconds=round(seconds, 1), **figures)


async def log(server: Server) -> None:
    """A node prints a million lines."""
    server.wait_ready()
    started = time.perf_counter()
    job_id = await submit(server, "Printer", 1_000_000)
    async with probing(server, 6) as figures:
        pass
    await ended(server, job_id)
    report("log", seconds=round(time.perf_counter() - started, 1), **figures)


async def crowd(server: Server) -> None:
    """Five hundred sockets hear of one job of nobody: 300 steps in three seconds."""
    server.wait_ready()
    heard = [0] * 500
    connected = 0

    async def read(index: int, session: aiohttp.ClientSession) -> None:
        nonlocal connected
        async with session.ws_connect(server.url + "/ws") as websocket:
            connected += 1
            async for raw in websocket:
                heard[index] += 1
                if '"execution_success"' in raw.data[:40]:
                    return

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        readers = [asyncio.create_task(read(index, session)) for index in range(len(heard))]
        while connected < len(heard):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        rest_mb = resident_mb(server.pid)
        async with probing(server, 4) as figures:
            await submit(server, "Steps", 300)
            await asyncio.wait(readers, timeout=60)
        served = sum(reader.done() for reader in readers)
        for reader in readers:
            reader.cancel()
    report("crowd", served=served, messages=sum(heard), at_rest_mb=round(rest_mb), **figures)


async def large(server: Server) -> None:
    """A node shows ten megabytes, told to five sockets."""
    server.wait_ready()

    async def read(websocket: aiohttp.ClientWebSocketResponse) -> int:
        async for raw in websocket:
            if '"executed"' in raw.data[:40]:
                return len(raw.data)
        return 0

    async with aiohttp.ClientSession() as session, contextlib.AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(session.ws_connect(server.url + "/ws", max_msg_size=0)) for _ in range(5)
        ]
        async with probing(server, 3) as figures:
            started = time.perf_counter()
            await submit(server, "Fat", 10_000_000)
            sizes = await asyncio.gather(*(read(websocket) for websocket in sockets))
            seconds = time.perf_counter() - started
    report("large", sizes=sizes, seconds=round(seconds, 2), **figures)


_SECTIONS = {"quiet": quiet, "deaf": deaf, "junk": junk, "pack": pack, "log": log, "crowd": crowd, "large": large}


if __name__ == "__main__":
    main()
