"""Fetching files that clients name, and refusing to reach into the own network for them."""

import asyncio
import contextlib

import pytest

from inglenook.api.remote_files import RemoteFileError, RemoteLimits, fetch
from inglenook.media.addresses import is_public

LIMITS = RemoteLimits(size_bytes=1000, timeout_s=60)


@contextlib.asynccontextmanager
async def web(answers):
    """A server on this machine: path -> raw answer; yields its port and the requests that came."""
    seen = []

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            seen.append(head)
            answer = answers[head.split()[1]]
            if answer is None:
                await reader.read()  # until the client has gone
            else:
                writer.write(answer)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    running = []

    async def watched(reader, writer):
        running.append(asyncio.current_task())
        await serve(reader, writer)

    server = await asyncio.start_server(watched, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], seen
        server.close()
        for _ in range(10):  # a connection that was just accepted gets to its handler, which closes it
            await asyncio.sleep(0)
        await asyncio.gather(*running)


def ok(body, *headers):
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def moved(location):
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


async def here(host, port):
    """Resolves every name to this machine, as a name server of somebody else may."""
    return ["127.0.0.1"]


async def get(url, limits=LIMITS, resolve=here, is_allowed=lambda address: True):
    with await fetch(url, limits, resolve=resolve, is_allowed=is_allowed) as file:
        file.seek(0)
        return file.read()


async def test_a_file_is_fetched_from_the_address_that_was_looked_at_under_the_name_that_was_asked_for():
    async with web({"/a.png?x=1": ok(b"content")}) as (port, seen):
        assert await get(f"http://files.example:{port}/a.png?x=1#part") == b"content"
    assert f"host: files.example:{port}\r\n" in seen[0].lower()


async def test_a_redirect_that_leads_nowhere_is_told():
    async with web({"/": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"}) as (port, _):
        with pytest.raises(RemoteFileError, match="answers 302"):
            await get(f"http://files.example:{port}/")


async def test_a_redirect_is_followed_where_it_may_lead():
    async with web({"/": moved("/b"), "/b": ok(b"b")}) as (port, _):
        assert await get(f"http://files.example:{port}/") == b"b"


async def test_a_redirect_into_the_own_network_is_not_followed():
    async def names(host, port):
        return ["127.0.0.1"] if host == "files.example" else [host]

    async with web({"/": moved("http://10.0.0.1/secret"), "/secret": ok(b"")}) as (port, seen):
        with pytest.raises(RemoteFileError, match="may come from"):
            await get(f"http://files.example:{port}/", resolve=names, is_allowed=lambda one: one == "127.0.0.1")
        assert len(seen) == 1


async def test_a_name_is_resolved_once_for_each_request_and_all_its_addresses_must_be_allowed():
    asked = []

    async def names(host, port):
        asked.append(host)
        return ["93.184.216.34", "127.0.0.1"]

    with pytest.raises(RemoteFileError, match="may come from"):
        await get("http://files.example/", resolve=names, is_allowed=is_public)
    assert asked == ["files.example"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://0.0.0.0/",
        "http://[fe80::1%25eth0]/",
    ],
)
async def test_addresses_of_the_own_network_are_refused_however_they_are_written(url):
    with pytest.raises(RemoteFileError):
        await fetch(url, LIMITS)


@pytest.mark.parametrize(
    "url",
    ["", "file:///etc/passwd", "ftp://a/b", "http://", "http://user:pw@a/", "http://a/" + "x" * 5000, "http://a:99999/",
     "http://a\0b/", "http://\ud800/", "gopher://a", "//a/b", "http://[::1/"],
)  # fmt: skip
async def test_what_is_no_web_address_is_refused(url):
    with pytest.raises(RemoteFileError):
        await get(url)


@pytest.mark.parametrize(
    "answer",
    [
        ok(b"x" * 1001),
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 100_000,
        ok(b"x", "Content-Encoding: gzip"),
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\nx",
        b"nonsense\r\n\r\n",
        b"",
        moved("/"),
        moved("http://[bad"),
        moved("file:///etc/passwd"),
    ],
)
async def test_answers_that_are_no_file_within_the_limits_are_refused(answer):
    async with web({"/": answer}) as (port, seen):
        with pytest.raises(RemoteFileError):
            await get(f"http://files.example:{port}/")
        assert len(seen) <= 6


async def test_a_server_that_does_not_answer_is_given_up():
    async with web({"/": None}) as (port, _):
        with pytest.raises(RemoteFileError, match="longer than"):
            await get(f"http://files.example:{port}/", RemoteLimits(1000, timeout_s=0.1))


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1",
     "fec0::1", "ff02::1", "::ffff:10.0.0.1", "::10.0.0.1", "2002:7f00:1::", "2002:a00:1::", "64:ff9b::7f00:1",
     "64:ff9b:1::1", "2001:db8::1", "nonsense", ""],
)  # fmt: skip
def test_addresses_that_are_not_of_the_public_internet(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_of_the_public_internet(address):
    assert is_public(address)
