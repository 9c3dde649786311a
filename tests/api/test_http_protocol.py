"""Limits for connections, over real sockets: heads and bodies that are too large or too slow, too many of them."""

import asyncio
import contextlib
import json
import sys

import psutil
import pytest

from inglenook.api import http_protocol, server
from tests.api.idle import NeverReady
from tests.api.packs import serving


class Connection:
    """A client that sends what it wants."""

    def __init__(self, reader, writer, port):
        self.reader, self.writer, self.port = reader, writer, port

    def send(self, data):
        self.writer.write(data)

    async def answer(self):
        """Status and JSON of an answer; None when the connection ends without one."""
        async with asyncio.timeout(60):
            head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(int(line[16:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await self.reader.readexactly(length)
        return int(head[9:12]), json.loads(body) if body else None

    async def leave(self):
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def ends(self):
        """Wait until the server has closed; returns what it sent until then."""
        async with asyncio.timeout(60):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


@pytest.fixture
async def start(tmp_path):
    """Starts a server; then opens connections to it."""
    async with contextlib.AsyncExitStack() as stack:
        running = []

        async def connect(**settings):
            if not running:
                running.append(await stack.enter_async_context(serving(tmp_path, NeverReady(), **settings)))
            reader, writer = await asyncio.open_connection("127.0.0.1", running[0].port)
            connection = Connection(reader, writer, running[0].port)
            stack.push_async_callback(connection.leave)
            return connection

        yield connect


@pytest.fixture
def quick_heads(monkeypatch):
    monkeypatch.setattr(http_protocol, "HEAD_PATIENCE_S", 0.2)


@pytest.fixture
def quick_bodies(monkeypatch):
    monkeypatch.setattr(http_protocol, "BODY_INTERVAL_S", 0.2)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /queue HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET /queue HTTP/1.1\r\nHost: localhost\r\n" + b"A: a\r\n" * 300 + b"\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /queue HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 500_000,
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + b"A: a\r\n" * 300
        + b"\r\n",
    ],
)  # fmt: skip
async def test_a_head_that_is_too_large_is_refused(start, head):
    client = await start()
    client.send(head)
    status, body = await client.answer()
    assert status == 431
    assert body["error"]["type"] == "headers_too_large"
    await client.ends()


async def test_a_head_as_large_as_browsers_send_is_served(start):
    client = await start()
    cookies = b"".join(b"Cookie: a=%s\r\n" % (b"b" * 4000) for _ in range(10))
    client.send(b"GET /queue HTTP/1.1\r\nHost: localhost\r\n" + cookies)
    await asyncio.sleep(0)
    client.send(b"\r\n")
    assert (await client.answer())[0] == 200


async def test_what_is_no_http_gets_an_error_as_everything_else(start):
    client = await start()
    client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
    assert (await client.answer())[1]["error"]["type"] == "invalid_request"


@pytest.mark.parametrize("beginning", [b"", b"G", b"\r\n", b"GET /queue HTTP/1.1\r\nHost: localhost\r\n"])
async def test_a_connection_that_sends_no_whole_head_ends(start, quick_heads, beginning):
    client = await start()
    client.send(beginning)
    told = await client.ends()
    assert told == b"" or told.startswith(b"HTTP/1.1 408")


async def test_a_second_head_must_come_in_time_too(start, monkeypatch):
    client = await start()
    client.send(b"GET /queue HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await client.answer())[0] == 200
    monkeypatch.setattr(http_protocol, "HEAD_PATIENCE_S", 0.2)
    client.send(b"GET /queue")
    assert (await client.ends()).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("body", [b"", b"{", b"4\r\n"])
async def test_a_body_that_does_not_come_ends_the_connection(start, quick_bodies, body, caplog):
    client = await start()
    length = b"Transfer-Encoding: chunked" if b"\r" in body else b"Content-Length: 100"
    client.send(b"POST /prompt HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n\r\n" + body)
    assert await client.ends() == b""
    assert "Traceback" not in caplog.text


async def test_a_body_that_trickles_ends_the_connection(start, quick_bodies):
    client = await start()
    client.send(b"POST /prompt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
    trickle = asyncio.create_task(trickling(client))
    assert await client.ends() == b""
    trickle.cancel()


async def trickling(client):
    while True:
        client.send(b" ")
        await asyncio.sleep(0.02)


async def test_a_body_that_keeps_coming_may_take_long(start, quick_bodies, monkeypatch):
    monkeypatch.setattr(http_protocol, "BODY_BYTES", 10)
    client = await start()
    client.send(b"POST /queue HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n")
    for _ in range(20):
        client.send(b" " * 100)
        await asyncio.sleep(0.05)
    assert (await client.answer())[0] == 200


async def test_more_connections_than_allowed_are_told_so_and_room_is_made_by_those_that_leave(start):
    first = await start(max_connections=2)
    second = await start()
    for client in (first, second):
        client.send(b"GET /queue HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await client.answer())[0] == 200
    third = await start()
    status, body = await third.answer()
    assert (status, body["error"]["type"]) == (503, "too_many_connections")
    await third.ends()
    await first.leave()
    async with asyncio.timeout(60):
        while True:
            client = await start()
            client.send(b"GET /queue HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if (await client.answer())[0] == 200:
                break


@pytest.mark.skipif(sys.platform != "linux", reason="the option is Linux's")
async def test_a_client_that_reads_nothing_is_dropped(start, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "UNREAD_LIMIT_MS", 1000)
    folder = tmp_path / "output"
    folder.mkdir()
    (folder / "large.bin").write_bytes(b"x" * (64 << 20))
    client = await start()
    client.writer.transport.pause_reading()
    assert client.port in {peer.laddr.port for peer in connections()}
    client.send(b"GET /view?filename=large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(60):
        while client.port in {peer.laddr.port for peer in connections() if peer.status == "ESTABLISHED"}:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def connections():
    return psutil.Process().net_connections("tcp")
