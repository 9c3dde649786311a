"""A server with routes of node packs: real uvicorn in front, real aiohttp on a Unix socket behind it."""

import asyncio
import contextlib
import re
import threading
from contextlib import asynccontextmanager, contextmanager

import httpx
import uvicorn

from inglenook.api.app import create_app
from inglenook.api.server import bind, uvicorn_config
from inglenook.packs import route_server
from tests.api.idle import NeverReady, idle_services
from tests.api.live import NO_TLS


@contextmanager
def side_loop():
    """An event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class PackWorker(NeverReady):
    """A worker with routes of packs."""

    def __init__(self, routes_at):
        self.routes_at = routes_at


class PackServer:
    """A running server; `http` speaks to it, `worker` names the socket of the routes, `services` are its insides."""

    def __init__(self, port, http, worker, services):
        self.port, self.http, self.worker, self.services = port, http, worker, services
        self.keys = services.keys

    async def raw(self, request):
        """Send bytes; return all that comes back until the connection ends, or an answer that has a length is whole."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        answer = b""
        async with asyncio.timeout(60):
            with contextlib.suppress(ConnectionResetError):
                while not is_whole(answer) and (data := await reader.read(65536)):
                    answer += data
        writer.transport.abort()
        return answer


def is_whole(answer):
    """Whether bytes are one HTTP answer, with its body if it tells the length of one."""
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return length is not None and len(body) >= int(length[1])


@asynccontextmanager
async def pack_server(folder, prompt_server, **settings):
    """Serve the routes of a PromptServer (or, given text, what listens at that socket) through a whole server."""
    with side_loop() as loop:
        is_path = isinstance(prompt_server, str)
        path = prompt_server if is_path else await asyncio.to_thread(route_server.start, prompt_server, loop)
        try:
            async with serving(folder, PackWorker(path), **settings) as server:
                yield server
        finally:
            if not is_path and path in route_server._runners:
                await asyncio.to_thread(route_server.stop, path)


@asynccontextmanager
async def serving(folder, worker, *, web=None, **settings):
    """A real server with this worker; web: options of uvicorn."""
    async with idle_services(folder, worker, port=0, **settings) as services:
        (listener,) = bind(services.settings)
        config = uvicorn_config(create_app(services), services.settings, timeout_graceful_shutdown=1, **(web or {}))
        server = uvicorn.Server(config)
        task = asyncio.create_task(server._serve([listener]))
        port = listener.getsockname()[1]
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, verify=NO_TLS) as http:
                yield PackServer(port, http, worker, services)
        finally:
            server.should_exit = True
            server.force_exit = True
            await task
            await abort_connections(server)
            listener.close()


async def abort_connections(server):
    """What is still open would be noticed when the garbage collector finds it: in another test."""
    for connection in list(server.server_state.connections):
        connection.transport.abort()
    await asyncio.sleep(0)
