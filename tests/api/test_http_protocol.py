"""Requests whose head does not end."""

import asyncio

import pytest

from inglenook.api import http_protocol
from tests.api.idle import NeverReady
from tests.api.packs import serving


@pytest.fixture
async def server(tmp_path, monkeypatch):
    monkeypatch.setattr(http_protocol, "HEAD_LIMIT_S", 0.2)
    async with serving(tmp_path, NeverReady()) as server:
        yield server


async def answer_to(server, *parts):
    """Send parts one after another; return all that comes until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    answer = b""
    async with asyncio.timeout(20):
        for part in parts:
            writer.write(part)
            if part is not parts[-1]:
                answer += await reader.readuntil(b"\r\n\r\n")
        answer += await reader.read()
    writer.transport.abort()
    return answer


@pytest.mark.parametrize("part", [b"", b"GET /ws HT", b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpg"])
async def test_half_a_request_is_given_up(server, part):
    assert await answer_to(server, part) == b""


async def test_half_a_second_request_is_given_up_too(server):
    first = b"HEAD /prompt HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    assert (await answer_to(server, first, b"GET /prompt HT")).startswith(b"HTTP/1.1 200")


async def test_a_head_without_end_is_refused(server):
    endless = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (1 << 20)
    assert (await answer_to(server, endless)).startswith(b"HTTP/1.1 431")


async def test_a_slow_body_and_a_quiet_connection_have_their_time(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    async with asyncio.timeout(20):
        writer.write(b"POST /queue HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{")
        await asyncio.sleep(0.4)
        writer.write(b"}")
        assert b"200" in await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.4)
        writer.write(b"HEAD /prompt HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert b"200" in await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()
