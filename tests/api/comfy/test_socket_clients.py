"""What clients do to their socket: odd ids, junk, floods, silence, sudden ends. A real server, idle."""

import asyncio
import contextlib
import json
import socket
import struct
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import quote

import pytest
import websockets.asyncio.client
from websockets.exceptions import ConnectionClosed

from inglenook.api import websocket_protocol
from inglenook.api.comfy import client_socket
from inglenook.api.comfy.messages import message
from tests.api.idle import NeverReady
from tests.api.live import picture_graph
from tests.api.packs import serving

connect = partial(websockets.asyncio.client.connect, open_timeout=60)


UPGRADE = (
    b"Host: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
FLAGS = json.dumps({"type": "feature_flags", "data": {}})


@pytest.fixture
async def server(tmp_path):
    async with serving(tmp_path, NeverReady()) as server:
        yield server


def address(server, query=""):
    return f"ws://127.0.0.1:{server.port}/ws{query}"


async def next_of(websocket, kind):
    """The data of the next message of a type."""
    async with asyncio.timeout(60):
        while True:
            heard = json.loads(await websocket.recv())
            if heard["type"] == kind:
                return heard["data"]


@asynccontextmanager
async def raw_socket(server):
    """A client that has finished the handshake by hand."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /ws HTTP/1.1\r\n" + UPGRADE + b"\r\n")
    try:
        async with asyncio.timeout(60):
            assert b"101" in await reader.readuntil(b"\r\n\r\n")
        yield reader, writer
    finally:
        writer.transport.abort()


async def is_empty(server):
    """Wait until the server knows of no socket."""
    hub = server.services.sockets
    async with asyncio.timeout(60):
        while hub._sockets or hub._sockets._by_sid or hub._told:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


# Who is it


@pytest.mark.parametrize(
    "sid", ["x" * 4000, "中文 🎨", "a\0b", "a+b&c=d%e#f", "../../etc", " ", '"}{', "é"], ids=lambda sid: ascii(sid[:9])
)
async def test_any_text_is_an_id_and_what_is_addressed_to_it_arrives(server, sid):
    async with connect(address(server, f"?clientId={quote(sid, safe='')}")) as websocket:
        assert (await next_of(websocket, "status"))["sid"] == sid
        server.services.sockets.notice("news", {}, sid)
        assert await next_of(websocket, "news") == {}


async def test_the_first_id_of_several_counts_and_without_one_the_server_makes_it(server):
    async with connect(address(server, "?clientId=a&clientId=b")) as websocket:
        assert (await next_of(websocket, "status"))["sid"] == "a"
    for query in ("", "?clientId=", "?clientid=x", "?%FF%FE"):
        async with connect(address(server, query)) as websocket:
            sid = (await next_of(websocket, "status"))["sid"]
            assert len(sid) == 32
            assert int(sid, 16) >= 0


async def test_bytes_that_are_no_utf8_make_an_id_that_can_be_told(server):
    async with connect(address(server, "?clientId=%ff%ed%a0%80")) as websocket:
        assert "\ufffd" in (await next_of(websocket, "status"))["sid"]


async def test_the_older_socket_of_an_id_stays_open_and_hears_nothing(server):
    async with connect(address(server, "?clientId=a")) as old:
        await next_of(old, "status")
        async with connect(address(server, "?clientId=a")) as new:
            await next_of(new, "status")
            server.services.sockets.notice("news", 1, None)
            server.services.sockets.notice("news", 2, "a")
            assert [await next_of(new, "news"), await next_of(new, "news")] == [1, 2]
            await old.send(FLAGS)  # it is alive, and this is the first that it hears
            assert json.loads(await old.recv())["type"] == "feature_flags"


# Handshakes


@pytest.mark.parametrize(
    ("request_line", "more", "status"),
    [
        (b"GET /ws HTTP/1.1", b"Cookie: " + b"a" * 9000 + b"\r\n", b"431"),
        (b"GET /ws HTTP/1.1", b"".join(b"X-%d: 1\r\n" % number for number in range(200)), b"431"),
        (b"GET /ws?clientId=" + b"a" * 9000 + b" HTTP/1.1", b"", b"414"),
        (b"GET /ws HTTP/1.1", b"Content-Length: 5\r\n", b"400"),
        (b"GET /ws HTTP/1.1", b"Transfer-Encoding: chunked\r\n", b"400"),
        (b"GET /ws?clientId=\xe4\xb8\xad HTTP/1.1", b"", b"400"),
        (b"POST /ws HTTP/1.1", b"", b"405"),
    ],
    ids=["long header", "many headers", "long address", "body", "chunked body", "raw bytes", "POST"],
)
async def test_a_handshake_that_cannot_be_read_is_answered(server, request_line, more, status):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request_line + b"\r\n" + UPGRADE + more + b"\r\n")
    async with asyncio.timeout(60):
        answer = await reader.read()
    assert answer.split()[1] == status
    writer.close()


@pytest.mark.parametrize("path", ["/ws", "/api/ws", "/ws?clientId=a"])
async def test_what_is_no_handshake_gets_a_400(server, path):
    assert (await server.http.get(path)).status_code == 400
    assert (await server.http.head(path)).status_code == 400


# Flags


@pytest.mark.parametrize("before", ["no JSON", "", "{", "[1", b"\0", "\ufeff"])
async def test_what_is_no_json_does_not_use_up_the_chance_for_flags(server, before):
    async with connect(address(server)) as websocket:
        await websocket.send(before)
        await websocket.send(FLAGS)
        await next_of(websocket, "feature_flags")


@pytest.mark.parametrize("before", ["{}", "[]", "null", '{"type": "other"}', '"text"', FLAGS])
async def test_flags_after_other_json_are_not_answered(server, before):
    async with connect(address(server)) as websocket:
        await websocket.send(before)
        await websocket.send(FLAGS)
        await (await websocket.ping())
        server.services.sockets.notice("end", {}, None)
        seen = []
        while "end" not in seen:
            seen.append(json.loads(await websocket.recv())["type"])
    assert seen == (["status", "feature_flags", "end"] if before == FLAGS else ["status", "end"])


# Too much


async def test_a_client_that_floods_does_not_keep_others_from_being_answered(server):
    """The flooding one sends 100,000 messages and then its flags: a second one gets its answer before."""
    frames = b"\x81\x82\0\0\0\0[1" * 100_000  # each is invalid JSON: it is parsed
    flags = FLAGS.encode()
    async with raw_socket(server) as (reader, writer), connect(address(server)) as other:
        writer.write(frames + bytes((0x81, 0x80 | len(flags))) + bytes(4) + flags)
        for _ in range(5):
            server.services.sockets.notice("news", {}, None)
            await next_of(other, "news")
            assert (await server.http.get("/prompt")).status_code == 200
        seen = b""
        assert b"feature_flags" not in reader._buffer
        async with asyncio.timeout(60):
            while b"feature_flags" not in seen:
                seen += await reader.read(65536)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x82\xff" + struct.pack(">Q", (16 << 20) + 1) + bytes(4) + bytes(1 << 16), 1009),
        (b"\x82\xff" + struct.pack(">Q", 1 << 62) + bytes(4), 1009),
        (b"\x01\x80\0\0\0\0" + b"\x00\x80\0\0\0\0" * 20_000, 1009),
        (b"\x81\x82\0\0\0\0\xff\xfe", 1007),
        (b"\x81\x02[]", 1002),
        (b"\x8f\x80\0\0\0\0", 1002),
        (b"\xf1\x80\0\0\0\0", 1002),
    ],
    ids=["too large", "absurd", "fragments", "no UTF-8", "not masked", "unknown opcode", "reserved bits"],
)
async def test_what_breaks_the_protocol_is_told_by_a_close_code(server, frame, code):
    async with raw_socket(server) as (reader, writer):
        writer.write(frame)
        async with asyncio.timeout(60):
            while (await reader.readexactly(1))[0] != 0x88:  # text frames before it are short
                length = (await reader.readexactly(1))[0]
                length = struct.unpack(">H", await reader.readexactly(2))[0] if length == 126 else length
                await reader.readexactly(length)
            await reader.readexactly(1)
            assert struct.unpack(">H", await reader.readexactly(2))[0] == code
    await is_empty(server)


async def test_a_message_of_ten_megabytes_is_read(server):
    async with connect(address(server)) as websocket:
        await websocket.send(json.dumps({"type": "other", "pad": "x" * 10_000_000}))
        await (await websocket.ping())


async def test_pings_are_answered_with_what_they_carry(server):
    async with raw_socket(server) as (reader, writer):
        writer.write(b"\x89\x84\0\0\0\0abcd")
        async with asyncio.timeout(60):
            await reader.readuntil(b"\x8a\x04abcd")


async def test_the_server_pings_and_demands_no_answer(tmp_path):
    async with serving(tmp_path, NeverReady(), web={"ws_ping_interval": 0.02}) as server:
        async with raw_socket(server) as (reader, _), asyncio.timeout(60):
            for _ in range(5):
                await reader.readuntil(b"\x89\x04")  # never answered
        await is_empty(server)


# The end


async def test_a_reader_that_is_too_slow_is_closed_with_1013_and_others_hear_all(server, monkeypatch):
    monkeypatch.setattr(client_socket, "QUEUE_BYTES", 4 << 20)
    hub = server.services.sockets
    async with connect(address(server, "?clientId=slow"), max_size=None, max_queue=1) as slow:
        async with connect(address(server), max_size=None) as quick:
            await next_of(quick, "status")
            heard = 0
            while any(socket.sid == "slow" for socket in hub._sockets):
                item = message("large", "x" * (1 << 20))
                for each in list(hub._sockets):
                    each.put([item])
                heard += 1
                await next_of(quick, "large")
        assert heard > 4
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(60):
                async for _ in slow:
                    pass
        assert slow.close_code in (1013, 1006)  # 1006 when it is cut before it has read that far


async def test_a_slow_reader_misses_what_packs_send_rather_than_its_job(server, monkeypatch):
    monkeypatch.setattr(client_socket, "QUEUE_MESSAGES", 100)
    hub = server.services.sockets
    async with connect(address(server, "?clientId=a")) as websocket:
        await next_of(websocket, "status")
        for number in range(1000):
            hub.notice("flood", number, "a")
        hub._sockets.named(None, "a")[0].put([message("end", {})])
        seen = []
        while not seen or seen[-1] != "end":
            heard = json.loads(await websocket.recv())
            seen.append("end" if heard["type"] == "end" else heard["data"])
    assert seen[:-1] == list(range(51))


async def test_a_connection_that_is_reset_leaves_nothing_behind(server):
    tasks = len(asyncio.all_tasks())
    for _ in range(20):
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall(b"GET /ws?clientId=a HTTP/1.1\r\n" + UPGRADE + b"\r\n")
        await asyncio.to_thread(client.recv, 100)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    await is_empty(server)
    async with asyncio.timeout(60):
        while len(asyncio.all_tasks()) > tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_an_ordinary_close_is_confirmed(server):
    websocket = await connect(address(server))
    await websocket.close()
    assert websocket.close_code == 1000
    await is_empty(server)


async def test_a_server_that_stops_says_so(tmp_path):
    async with serving(tmp_path, NeverReady()) as server:
        websocket = await connect(address(server))
        await next_of(websocket, "status")
    with pytest.raises(ConnectionClosed):
        await websocket.recv()
    assert websocket.close_code == websocket_protocol.CloseCode.GOING_AWAY


# The queue


async def test_each_change_of_the_queue_is_told_to_those_who_own_no_job_soon(server):
    async with connect(address(server, "?clientId=a")) as owner, connect(address(server)) as other:
        await next_of(owner, "status")
        await next_of(other, "status")
        for count in (1, 2):
            await server.http.post("/prompt", json={"prompt": picture_graph(count), "client_id": "a"})
            assert await next_of(owner, "status") == {"status": {"exec_info": {"queue_remaining": count}}}
        await server.http.post("/queue", json={"clear": True})
        for websocket in (owner, other):
            while (await next_of(websocket, "status"))["status"]["exec_info"]["queue_remaining"]:
                pass
