"""Files that the system sends from the disk to real sockets: whole, in order, and with little memory."""

import asyncio
import contextlib
import errno
import os
import random
from urllib.parse import quote

import psutil
import pytest

from inglenook.api import file_sending
from tests.api.idle import NeverReady
from tests.api.packs import serving

CONTENT = random.Random(1).randbytes(1 << 20) * 20 + b"end"
"""More than a part, and more than the system buffers for a client."""

pytestmark = pytest.mark.skipif(not file_sending.IS_AVAILABLE, reason="this system sends no files itself")


@pytest.fixture
async def server(tmp_path):
    async with serving(tmp_path, NeverReady(), compress_responses=True) as server:
        server.services.folders.create()
        (server.services.folders.output / "big.bin").write_bytes(CONTENT)
        yield server


class Client:
    """Reads what and when it wants; at most 64 KB wait on its side beyond the system's buffer."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def ask(self, name="big.bin", method="GET", **headers):
        lines = [f"{key.replace('_', '-')}: {value}" for key, value in {"host": "127.0.0.1", **headers}.items()]
        self.writer.write("\r\n".join((f"{method} /view?filename={quote(name)} HTTP/1.1", *lines, "", "")).encode())

    async def head(self):
        """Status and headers of the next answer."""
        async with asyncio.timeout(60):
            first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        return int(first.split()[1]), dict(line.split(": ", 1) for line in lines if line)

    async def answer(self):
        status, headers = await self.head()
        async with asyncio.timeout(60):
            return status, await self.reader.readexactly(int(headers["content-length"]))

    async def leave(self):
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@pytest.fixture
async def connect(server):
    async with contextlib.AsyncExitStack() as stack:

        async def connect():
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            client = Client(reader, writer)
            stack.push_async_callback(client.leave)
            return client

        yield connect


@pytest.fixture
def sendfile(monkeypatch):
    """The calls of sendfile; `fail` makes the next ones fail."""
    real = os.sendfile

    class Sendfile:
        sent = 0
        error = None

        def __call__(self, *arguments):
            if self.error is not None:
                raise self.error
            done = real(*arguments)
            self.sent += done
            return done

    sendfile = Sendfile()
    monkeypatch.setattr(os, "sendfile", sendfile)
    return sendfile


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - nothing tells when the server has let go
            await asyncio.sleep(0.02)


async def test_the_system_sends_a_large_file_whole(connect, sendfile):
    client = await connect()
    for _ in range(2):
        client.ask()
        assert await client.answer() == (200, CONTENT)
    assert sendfile.sent == 2 * len(CONTENT)


async def test_a_small_file_needs_no_second_call(server, connect, sendfile):
    (server.services.folders.output / "small.bin").write_bytes(CONTENT[:300_000])
    client = await connect()
    client.ask("small.bin")
    assert await client.answer() == (200, CONTENT[:300_000])
    assert sendfile.sent == 0


async def test_a_range_is_sent_from_where_it_begins(connect, sendfile):
    client = await connect()
    client.ask(range="bytes=1000-9000000")
    assert await client.answer() == (206, CONTENT[1000:9_000_001])
    assert sendfile.sent == 8_999_001


async def test_head_and_an_unchanged_file_come_without_a_body(connect, sendfile):
    client = await connect()
    client.ask(method="HEAD")
    status, headers = await client.head()
    assert (status, headers["content-length"]) == (200, str(len(CONTENT)))
    client.ask(if_none_match=headers["etag"])
    status, _ = await client.head()
    assert status == 304
    client.ask(range="bytes=0-3")
    assert await client.answer() == (206, CONTENT[:4])
    assert sendfile.sent == 0


async def test_pipelined_requests_are_answered_in_order(server, connect):
    (server.services.folders.output / "small.bin").write_bytes(CONTENT[:300_000])
    client = await connect()
    for name in ("small.bin", "big.bin", "small.bin", "big.bin", "missing.bin"):
        client.ask(name)
    assert await client.answer() == (200, CONTENT[:300_000])
    assert await client.answer() == (200, CONTENT)
    assert await client.answer() == (200, CONTENT[:300_000])
    assert await client.answer() == (200, CONTENT)
    status, _ = await client.answer()
    assert status == 404


async def test_clients_that_do_not_read_hold_up_nobody_and_cost_no_memory(server, connect):
    before = psutil.Process().memory_info().rss
    slow = [await connect() for _ in range(20)]
    for client in slow:
        client.ask()
        await client.head()
    quick = await connect()
    quick.ask()
    assert await quick.answer() == (200, CONTENT)
    assert psutil.Process().memory_info().rss - before < 5 * len(CONTENT)  # our own reading, not 20 answers
    async with asyncio.timeout(60):
        assert await slow[7].reader.readexactly(len(CONTENT)) == CONTENT


async def test_a_client_that_goes_away_leaves_nothing_open(connect, caplog):
    for read in (0, 5 << 20):
        before = psutil.Process().num_fds()
        client = await connect()
        client.ask()
        await client.head()
        await client.reader.readexactly(read)
        await client.leave()
        await until(lambda before=before: psutil.Process().num_fds() <= before)
    assert not caplog.records


async def test_a_file_that_becomes_shorter_ends_the_answer(server, connect):
    client = await connect()
    client.ask()
    await client.head()
    os.truncate(server.services.folders.output / "big.bin", 1000)
    async with asyncio.timeout(60):
        assert len(await client.reader.read()) < len(CONTENT)


@pytest.mark.parametrize("why", [errno.EINVAL, errno.EOPNOTSUPP])
async def test_a_file_system_without_sendfile_gives_the_file_too(connect, sendfile, why):
    sendfile.error = OSError(why, "as some file systems say")
    client = await connect()
    for _ in range(2):
        client.ask()
        assert await client.answer() == (200, CONTENT)
    client.ask(range="bytes=5-")
    assert await client.answer() == (206, CONTENT[5:])


async def test_a_disk_that_fails_ends_the_answer(connect, sendfile):
    sendfile.error = OSError(errno.EIO, "as a broken disk says")
    client = await connect()
    client.ask()
    with contextlib.suppress(ConnectionResetError, asyncio.IncompleteReadError):
        await client.head()
    async with asyncio.timeout(60):
        with contextlib.suppress(ConnectionResetError):
            assert len(await client.reader.read()) < len(CONTENT)


@pytest.mark.parametrize("error", [BlockingIOError(), OSError(errno.EOPNOTSUPP, "unknown flag")])
async def test_what_is_not_in_memory_is_read_by_a_thread_first(connect, sendfile, monkeypatch, error):
    def preadv(*_):
        raise error

    monkeypatch.setattr(os, "preadv", preadv)
    client = await connect()
    client.ask()
    assert await client.answer() == (200, CONTENT)
    assert sendfile.sent == len(CONTENT)


async def test_what_is_compressed_is_not_sent_as_it_is(server, connect, sendfile):
    text = b"a line of text\n" * 100_000
    (server.services.folders.output / "text.txt").write_bytes(text)
    client = await connect()
    client.ask("text.txt", accept_encoding="gzip", connection="close")
    _, headers = await client.head()
    assert headers["content-encoding"] == "gzip"
    async with asyncio.timeout(60):
        body = await client.reader.read()
    assert b"a line of text" not in body
    plain = await connect()
    plain.ask("text.txt")
    assert await plain.answer() == (200, text)
    assert sendfile.sent == len(text)
