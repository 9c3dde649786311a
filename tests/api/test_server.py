"""Connections end when nobody is there any more."""

import asyncio
import socket
import sys
from contextlib import asynccontextmanager

import pytest
import uvicorn

from inglenook.api import websocket_protocol
from inglenook.api.server import bind
from inglenook.api.websocket_protocol import BatchingProtocol
from inglenook.settings import Settings
from tests.api.packs import abort_connections

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture
def listener(tmp_path):
    (listener,) = bind(Settings(base_directory=tmp_path, port=0))
    with listener:
        yield listener


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere accepted sockets may not inherit the options")
def test_the_system_probes_idle_connections(listener):
    with socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


async def test_small_packets_leave_at_once_whatever_the_loop(listener):
    loop = asyncio.get_running_loop()
    accepted = loop.create_future()
    server = await loop.create_server(lambda: Accepting(accepted), sock=listener)
    _, writer = await asyncio.open_connection(*listener.getsockname())
    transport = await accepted
    assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    transport.abort()
    writer.close()
    await writer.wait_closed()
    server.close()


class Accepting(asyncio.Protocol):
    def __init__(self, accepted):
        self.accepted = accepted

    def connection_made(self, transport):
        self.accepted.set_result(transport)


@asynccontextmanager
async def serving(app, listener):
    config = uvicorn.Config(
        app, ws=BatchingProtocol, ws_ping_interval=None, lifespan="off", log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve([listener]))
    try:
        yield server.server_state
    finally:
        server.should_exit = True
        server.force_exit = True
        await task
        await abort_connections(server)


async def test_a_client_that_never_reads_is_cut_off_after_the_close(listener, monkeypatch):
    monkeypatch.setattr(websocket_protocol, "ABORT_AFTER_S", 0.05)
    is_full = asyncio.Event()

    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        try:
            async with asyncio.timeout(0.3):
                while True:
                    await send({"type": "websocket.send", "bytes": bytes(1 << 20)})
        except TimeoutError:
            is_full.set()

    async with serving(app, listener) as state:
        deaf = socket.create_connection(listener.getsockname())
        with deaf:
            deaf.sendall(HANDSHAKE)
            async with asyncio.timeout(60):
                await is_full.wait()
                while state.connections:  # noqa: ASYNC110 - uvicorn tells it by this set only
                    await asyncio.sleep(0.01)


async def test_a_client_that_reads_gets_all_and_the_close(listener, monkeypatch):
    monkeypatch.setattr(websocket_protocol, "ABORT_AFTER_S", 60)

    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "bytes": bytes(1 << 20)})
        await send({"type": "websocket.close", "code": 1013})

    from websockets.asyncio.client import connect

    async with serving(app, listener):
        host, port = listener.getsockname()
        async with asyncio.timeout(60), connect(f"ws://{host}:{port}/ws", max_size=None, open_timeout=60) as client:
            assert len(await client.recv()) == 1 << 20
            await client.wait_closed()
            assert client.close_code == 1013
