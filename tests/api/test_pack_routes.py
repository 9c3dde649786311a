"""Routes of node packs through the whole server."""

import asyncio
import json

import httpx
import pytest
from aiohttp import WSMsgType, web
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from inglenook.api import forwarding
from inglenook.packs.prompt_server import PromptServer
from tests.api.packs import pack_server

NOTHING = {"type": "not_found", "details": ""}


class Pack:
    """A pack with routes of many kinds, and what happened in them."""

    def __init__(self):
        self.server = PromptServer()
        self.gone = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        for method, path, handler in (
            ("*", "/acme/echo", self.echo),
            ("*", "/acme/files/{name:.*}", self.echo),
            ("GET", "/acme/one/{name}", self.echo),
            ("GET", "/prompt", self.echo),
            ("GET", "/queue", self.echo),
            ("GET", "/acme/events", self.events),
            ("POST", "/acme/both", self.both),
            ("POST", "/acme/refuse", self.refuse),
            ("POST", "/acme/count", self.count),
            ("GET", "/acme/large", self.large),
            ("GET", "/acme/half", self.half),
            ("GET", "/acme/fail", self.fail),
            ("GET", "/acme/away", self.away),
            ("GET", "/acme/wait", self.wait),
            ("GET", "/acme/script.js", self.script),
            ("GET", "/acme/ws", self.socket),
            ("GET", "/acme/ws/refused", self.refused_socket),
        ):
            self.server.routes.route(method, path)(handler)

    def tell_gone(self):
        self.loop.call_soon_threadsafe(self.gone.set)

    async def echo(self, request):
        return web.json_response(
            {
                "method": request.method,
                "target": request.raw_path,
                "headers": {key.lower(): value for key, value in request.headers.items()},
                "name": request.match_info.get("name"),
                "body": await request.text(),
            },
            headers=[("X-Acme", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Keep-Alive", "timeout=1")],
        )

    async def events(self, request):
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            for number in range(100_000):
                await response.write(f"data: {number}\n\n".encode())
                await asyncio.sleep(0.01)
        except ConnectionResetError:
            self.tell_gone()
            raise
        return response

    async def both(self, request):
        """Answers while it is being asked."""
        response = web.StreamResponse()
        await response.prepare(request)
        async for piece in request.content.iter_any():
            await response.write(piece.upper())
        return response

    async def refuse(self, request):
        raise web.HTTPForbidden(text="not you")

    async def count(self, request):
        size = 0
        async for piece in request.content.iter_any():
            size += len(piece)
        return web.json_response(size)

    async def large(self, request):
        response = web.StreamResponse()
        response.content_length = 40 << 20
        await response.prepare(request)
        for number in range(40):
            await response.write(bytes([number]) * (1 << 20))
        return response

    async def half(self, request):
        response = web.StreamResponse()
        response.content_length = 100
        await response.prepare(request)
        await response.write(b"half")
        request.transport.abort()
        return response

    async def fail(self, request):
        raise RuntimeError("/secret/path")

    async def away(self, request):
        raise web.HTTPFound("/acme/echo")

    async def wait(self, request):
        await asyncio.sleep(3600)

    async def script(self, request):
        return web.Response(text="alert(1)", content_type="text/javascript")

    async def socket(self, request):
        socket = web.WebSocketResponse(protocols=("acme.v2",))
        await socket.prepare(request)
        await socket.send_json({"query": request.query_string, "cookie": request.headers.get("cookie")})
        async for message in socket:
            if message.type is WSMsgType.TEXT and message.data == "bye":
                await socket.close(code=4001, message=b"so long")
            elif message.type is WSMsgType.TEXT and message.data == "die":
                request.transport.abort()
            elif message.type is WSMsgType.TEXT:
                await socket.send_str(message.data.upper())
            else:
                await socket.send_bytes(message.data[::-1])
        self.code = socket.close_code
        self.tell_gone()
        return socket

    async def refused_socket(self, request):
        raise web.HTTPUnauthorized(text="who are you?")


@pytest.fixture
async def pack():
    return Pack()


@pytest.fixture
async def server(tmp_path, pack):
    async with pack_server(tmp_path, pack.server) as running:
        yield running


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_a_route_is_asked_with_method_query_headers_and_body(server, method, prefix):
    reply = await server.http.request(
        method,
        f"{prefix}/acme/echo?a=1&b=%2F&a=2",
        content=b"body",
        headers={"x-mine": "yes", "cookie": "k=v", "connection": "x-private", "x-private": "no", "te": "trailers"},
    )
    seen = reply.json()
    assert (seen["method"], seen["target"], seen["body"]) == (method, f"{prefix}/acme/echo?a=1&b=%2F&a=2", "body")
    assert (seen["headers"]["x-mine"], seen["headers"]["cookie"]) == ("yes", "k=v")
    assert seen["headers"]["host"] == f"127.0.0.1:{server.port}"
    assert not {"x-private", "te", "upgrade", "transfer-encoding"} & set(seen["headers"])
    assert (reply.status_code, reply.headers["x-acme"]) == (200, "1")
    assert reply.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert not {"keep-alive", "server"} & set(reply.headers)
    assert len(reply.headers.get_list("date")) == 1


async def test_head_reaches_a_route_as_head(server):
    reply = await server.http.head("/acme/echo")
    assert (reply.status_code, reply.content) == (200, b"")
    assert int(reply.headers["content-length"]) > 0
    async with asyncio.timeout(60):
        assert (await server.http.head("/acme/events")).status_code == 200


async def test_a_body_without_a_length_arrives_whole(server):
    async def pieces():
        for piece in (b"one ", b"two ", b"three"):
            yield piece

    assert (await server.http.post("/acme/echo", content=pieces())).json()["body"] == "one two three"


async def test_routes_of_the_server_come_first(server):
    assert "exec_info" in (await server.http.get("/prompt")).json()
    assert set((await server.http.get("/queue")).json()) == {"queue_running", "queue_pending"}
    assert "<h1><i>inglenook</i>" in (await server.http.get("/")).text


async def test_what_no_route_fits_is_answered_in_our_words(server):
    nothing = await server.http.get("/acme/nope")
    assert nothing.status_code == 404
    assert nothing.json()["error"] == {**NOTHING, "message": "There is nothing at /acme/nope"}
    posted = await server.http.post("/nope", content=b"x" * 5_000_000)
    assert (posted.status_code, posted.headers["allow"]) == (405, "GET,HEAD")
    wrong = await server.http.get("/acme/count")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json()["error"]["type"] == "method_not_allowed"
    assert not [name for reply in (nothing, posted, wrong) for name in reply.headers if "inglenook" in name]


async def test_a_redirect_is_the_clients_to_follow(server):
    reply = await server.http.get("/acme/away")
    assert (reply.status_code, reply.headers["location"]) == (302, "/acme/echo")


async def test_events_arrive_as_they_are_sent_and_stop_with_the_client(server, pack):
    async with asyncio.timeout(60):
        async with server.http.stream("GET", "/acme/events") as reply:
            lines = reply.aiter_lines()
            assert [await anext(lines) for _ in range(5)] == ["data: 0", "", "data: 1", "", "data: 2"]
        await pack.gone.wait()


async def test_both_ways_stream_at_the_same_time(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /acme/both HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    async with asyncio.timeout(60):
        await reader.readuntil(b"ABC")
        writer.write(b"3\r\ndef\r\n0\r\n\r\n")
        await reader.readuntil(b"DEF")
    writer.close()


async def test_large_bodies_pass_in_both_directions(server):
    async def pieces():
        for _ in range(60):
            yield bytes(1 << 20)

    assert (await server.http.post("/acme/count", content=pieces())).json() == 60 << 20
    reply = await server.http.get("/acme/large")
    assert (len(reply.content), reply.content[-1]) == (40 << 20, 39)


async def test_a_route_may_refuse_a_body_unread(server):
    reply = await server.http.post("/acme/refuse", content=bytes(20 << 20))
    assert (reply.status_code, reply.text) == (403, "not you")


async def test_a_body_over_the_limit_is_refused(tmp_path, pack):
    async def pieces():
        for _ in range(8):
            yield bytes(1 << 20)

    async with pack_server(tmp_path, pack.server, max_upload_size_mb=2) as server:
        for content in (bytes(3 << 20), pieces()):
            reply = await server.http.post("/acme/count", content=content)
            assert (reply.status_code, reply.json()["error"]["type"]) == (413, "too_large")
        assert (await server.http.post("/acme/count", content=bytes(1 << 20))).json() == 1 << 20


async def test_a_route_that_raises_is_a_500_without_its_paths(server):
    reply = await server.http.get("/acme/fail")
    assert reply.status_code == 500
    assert "secret" not in reply.text


async def test_an_answer_that_breaks_off_breaks_off_for_the_client(server):
    with pytest.raises(httpx.RemoteProtocolError):
        await server.http.get("/acme/half")


LIMITS_S = (0.2, 1, 5, 25)
"""How long a route has to begin: the first that is enough for this machine is taken."""


async def test_a_route_that_does_not_begin_to_answer_is_given_up(server, monkeypatch):
    monkeypatch.setattr(forwarding, "FIRST_BYTE_LIMIT_S", LIMITS_S[0])
    reply = await server.http.get("/acme/wait")
    assert (reply.status_code, reply.json()["error"]["type"]) == (504, "route_timeout")


async def test_an_answer_that_has_begun_may_take_longer(server, monkeypatch):
    clock = asyncio.get_running_loop().time
    for limit_s in LIMITS_S:
        monkeypatch.setattr(forwarding, "FIRST_BYTE_LIMIT_S", limit_s)
        async with server.http.stream("GET", "/acme/events") as events:
            if events.status_code == 200:
                began, lines = clock(), events.aiter_lines()
                while clock() < began + 2 * limit_s:
                    await anext(lines)
                return
    pytest.fail(f"no route began to answer within {LIMITS_S[-1]} s")


async def test_a_slow_upload_is_not_the_routes_fault(server, monkeypatch):
    async def pieces(pause_s):
        for _ in range(3):
            await asyncio.sleep(pause_s)
            yield b"x"

    for limit_s in LIMITS_S:
        monkeypatch.setattr(forwarding, "FIRST_BYTE_LIMIT_S", limit_s)
        reply = await server.http.post("/acme/count", content=pieces(1.5 * limit_s))
        if reply.status_code != 504:
            break
    assert reply.json() == 3


async def test_a_process_that_is_gone_is_a_503(server, pack, tmp_path):
    server.worker.routes_at = str(tmp_path / "nobody")
    reply = await server.http.get("/acme/echo")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
    assert str(tmp_path) not in reply.text
    server.worker.routes_at = None
    assert (await server.http.get("/acme/echo")).json()["error"]["type"] == "not_found"
    assert (await server.http.get("/queue")).status_code == 200


@pytest.mark.parametrize(
    "words", [b"", b"HTTP/1.1 200 OK\r\ncontent-le", b"SSH-2.0-x\r\n", b"HTTP/1.1 20\x00 OK\r\n\r\n"]
)
async def test_a_process_that_dies_before_it_answers_is_a_502(tmp_path, words):
    async def dying(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(words)
        writer.close()

    path = str(tmp_path / "http")
    async with await asyncio.start_unix_server(dying, path), pack_server(tmp_path, path) as server:
        reply = await server.http.get("/acme/echo")
        assert (reply.status_code, reply.json()["error"]["type"]) == (502, "route_failed")


@pytest.mark.parametrize(
    "path",
    [
        "/acme/files/../../etc/passwd",
        "/acme/files/..%2f..%2fetc/passwd",
        "/acme/files/%2e%2e/x",
        "/acme/files/..%5c..%5cx",
        "/acme/one/..",
        "/acme/files/a%00b",
        "/acme/files/a%0dx",
        "/acme/files/%7f",
    ],
)
async def test_a_path_that_could_leave_a_folder_is_not_handed_on(server, path):
    answer = await server.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"type":"invalid_path"' in answer


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/acme/one/a%2Fb", "a/b"),
        ("/acme/files/a%252e%252e", "a%2e%2e"),
        ("/acme/files//evil.example/x", "/evil.example/x"),
        ("/acme/files/%zz", "%zz"),
        ("/acme/files/%C3%B6;v=1", "ö;v=1"),
        ("/acme/files/a..b/...", "a..b/..."),
    ],
)
async def test_odd_paths_arrive_as_they_were_sent(server, path, name):
    answer = await server.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    seen = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (seen["target"], seen["name"]) == (path, name)


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET http://evil.example/acme/echo HTTP/1.1\r\nHost: x", b"200"),
        (b"GET /acme/files/\xff\xfe HTTP/1.1\r\nHost: x", b"400"),
        (b"GET /acme/echo HTTP/1.0", b"200"),
        (b"GET /acme/files/" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x", b"414"),
        (b"GET /acme/echo HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70_000, b"431"),
        (b"GET /acme/echo HTTP/1.1\r\nHost: x" + b"\r\nX: 1" * 300, b"431"),
        (b"GET /acme/echo HTTP/1.1\r\nHost: x\r\nHost: y", b"400"),
        (b"TRACE /acme/echo HTTP/1.1\r\nHost: x", b"405"),
        (b"GET /acme/echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c", b"200"),
        (b"POST /acme/echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0", b"200"),
    ],
)
async def test_requests_of_unusual_shape(server, request_line, status):
    connection = b"" if b"Upgrade" in request_line else b"\r\nConnection: close"
    answer = await server.raw(request_line + connection + b"\r\n\r\n")
    line = answer.partition(b"\r\n")[0]
    assert line.split(b" ")[1] in (status, b"100")
    assert b"Traceback" not in answer
    assert (await server.http.get("/acme/echo")).status_code == 200


async def test_a_client_that_breaks_off_its_upload_does_no_harm(server):
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /acme/count HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc")
    await writer.drain()
    writer.transport.abort()
    assert (await server.http.post("/acme/count", content=b"abc")).json() == 3


async def test_pages_of_other_sites_do_not_reach_routes(server):
    refused = await server.http.post("/acme/echo", headers={"origin": "http://evil.example"})
    assert (refused.status_code, refused.content) == (403, b"")


async def test_with_cors_the_servers_headers_replace_those_of_a_route(tmp_path, pack):
    async def open_to_all(request):
        return web.Response(headers={"Access-Control-Allow-Origin": "http://other.example"})

    pack.server.routes.get("/acme/cors")(open_to_all)
    async with pack_server(tmp_path, pack.server, cors_origin="*") as server:
        reply = await server.http.get("/acme/cors", headers={"origin": "http://evil.example"})
        assert reply.headers.get_list("access-control-allow-origin") == ["*"]


async def test_scripts_are_asked_for_again_unless_the_route_says_otherwise(server):
    assert (await server.http.get("/acme/script.js")).headers["cache-control"] == "no-cache"
    assert "cache-control" not in (await server.http.get("/acme/echo")).headers


# WebSocket


def socket(server, path, **options):
    return connect(f"ws://127.0.0.1:{server.port}{path}", open_timeout=60, **options)


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_a_socket_of_a_pack_talks_both_ways(server, prefix):
    headers = {"cookie": "k=v"}
    path = f"{prefix}/acme/ws?a=b%20c"
    async with asyncio.timeout(60), socket(server, path, additional_headers=headers, subprotocols=["acme.v2"]) as ws:
        assert ws.subprotocol == "acme.v2"
        assert json.loads(await ws.recv()) == {"query": "a=b c", "cookie": "k=v"}
        await ws.send("öl")
        assert await ws.recv() == "ÖL"
        await ws.send(b"abc")
        assert await ws.recv() == b"cba"


async def test_a_close_reaches_the_other_side_with_its_code(server, pack):
    async with asyncio.timeout(60):
        async with socket(server, "/acme/ws") as ws:
            await ws.recv()
            await ws.send("bye")
            await ws.wait_closed()
            assert (ws.close_code, ws.close_reason) == (4001, "so long")
        await pack.gone.wait()
        pack.gone.clear()
        async with socket(server, "/acme/ws") as ws:
            await ws.recv()
            await ws.close(4002, "enough")
        await pack.gone.wait()
        assert pack.code == 4002


async def test_a_socket_whose_other_side_vanishes_is_closed(server, pack):
    async with asyncio.timeout(60):
        async with socket(server, "/acme/ws") as ws:
            await ws.recv()
            await ws.send("die")
            await ws.wait_closed()
            assert ws.close_code == 1011
        pack.gone.clear()
        async with socket(server, "/acme/ws") as ws:
            await ws.recv()
            ws.transport.abort()
        await pack.gone.wait()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/acme/nope", 403),
        ("/acme/echo", 403),
        ("/acme/ws/refused", 401),
        ("/acme/ws/..%2fx", 400),
    ],
)
async def test_a_socket_that_no_route_takes_is_refused(server, path, status):
    with pytest.raises(InvalidStatus) as refused:
        await socket(server, path)
    assert refused.value.response.status_code == status


async def test_without_packs_or_their_process_sockets_are_refused(server, tmp_path):
    for routes_at, status in ((None, 403), (str(tmp_path / "nobody"), 503)):
        server.worker.routes_at = routes_at
        with pytest.raises(InvalidStatus) as refused:
            await socket(server, "/acme/ws")
        assert refused.value.response.status_code == status


async def test_the_servers_own_socket_comes_first(server, pack):
    async with asyncio.timeout(60), socket(server, "/ws") as ws:
        assert json.loads(await ws.recv())["type"] == "status"


async def test_many_clients_at_once_get_their_own_answers(server):
    async def ask(number):
        return (await server.http.post("/acme/echo", content=str(number))).json()["body"]

    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(ask(number) for number in range(100)))
    assert answers == [str(number) for number in range(100)]
