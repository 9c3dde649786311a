"""Which pages a browser may show while it talks to the server, under which names of it."""

import httpx
import pytest

from inglenook.api.boundary import Boundary


async def answering(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def reply(headers, method="GET", **options):
    options = {"max_body_bytes": 1000, "cors_origin": None, "allowed_hosts": (), "listens_on": "127.0.0.1", **options}
    transport = httpx.ASGITransport(Boundary(answering, **options))
    request = httpx.Request(method, "http://127.0.0.1/queue", headers=headers)
    return await transport.handle_async_request(request)


@pytest.mark.parametrize("listens_on", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize(
    "host", ["x.localhost:8188", "localhost.:8188", "0.0.0.0:8188", "[::1]:8188", "127.1.2.3", "pictures.example"]
)
async def test_a_foreign_page_is_refused_under_every_name_of_the_server(host, listens_on):
    for origin in ("http://evil.example", "http://evil.example:8188", "null", "http://localhost.evil.example"):
        assert (await reply({"host": host, "origin": origin}, listens_on=listens_on)).status_code == 403


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8188", "http://localhost:8188"),
        ("x.localhost:8188", "http://x.localhost:8188"),
        ("[::1]:8188", "http://[::1]:8188"),
        ("192.168.1.5:8188", "http://192.168.1.5:8188"),
        ("LOCALHOST", "https://localhost"),
    ],
)
async def test_the_servers_own_page_is_served(host, origin):
    assert (await reply({"host": host, "origin": origin, "accept-language": "en"})).status_code == 200


SIGNS = [{"origin": "http://evil.example:8188"}, {"sec-fetch-site": "same-origin"}, {"accept-language": "de"}]


@pytest.mark.parametrize("sign", SIGNS)
async def test_a_name_that_leads_to_a_local_server_by_rebinding_is_refused(sign):
    headers = {"host": "evil.example:8188", **sign}
    refused = await reply(headers)
    assert refused.status_code == 403
    assert b"INGLENOOK_ALLOWED_HOSTS" in await refused.aread()
    assert (await reply(headers, allowed_hosts=("Evil.example",))).status_code == 200
    assert (await reply(headers, listens_on="0.0.0.0")).status_code == 200
    assert (await reply(headers, cors_origin="*")).status_code == 200
    assert (await reply(headers, listens_on="127.0.0.1, ::1")).status_code == 403


async def test_programs_behind_a_proxy_are_served_under_any_name():
    headers = {"host": "pictures.example", "user-agent": "curl/8", "x-forwarded-for": "1.2.3.4", "accept": "*/*"}
    assert (await reply(headers)).status_code == 200


async def test_a_page_behind_a_proxy_is_served_once_its_host_is_allowed():
    for host in ("pictures.example", "127.0.0.1:8188"):
        headers = {"host": host, "origin": "https://pictures.example"}
        assert (await reply(headers)).status_code == 403
        assert (await reply(headers, allowed_hosts=("pictures.example",))).status_code == 200


async def test_a_socket_under_an_unknown_name_is_closed():
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "websocket.connect"}

    boundary = Boundary(answering, max_body_bytes=1, cors_origin=None, allowed_hosts=(), listens_on="127.0.0.1")
    headers = [(b"host", b"evil.example"), (b"origin", b"http://evil.example")]
    await boundary({"type": "websocket", "path": "/ws", "headers": headers}, receive, send)
    assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", 1008)]


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8188", "http://localhost:9999"),
        ("localhost:8188", "http://127.0.0.1:8188"),
        ("[::1]:8188", "http://[::2]:8188"),
        ("[::1]:8188", "http://[::1]:8189"),
        ("localhost:8188", "file://"),
        ("localhost:8188", ""),
        ("localhost:8188", "http://localhost:99999"),
        ("localhost:8188", "http://localhost:8188@evil.example"),
        ("localhost:8188", "http://[::1"),
        ("[::1", "http://[::1"),
        ("localhost:x", "http://localhost:x"),
        ("", "http://evil.example"),
    ],
)
async def test_what_is_not_quite_the_servers_own_page_is_refused(host, origin):
    assert (await reply({"host": host, "origin": origin})).status_code == 403


async def test_an_exposed_server_that_was_told_its_names_goes_by_no_other():
    options = {"listens_on": "0.0.0.0", "allowed_hosts": ("pictures.example",)}
    for host in ("pictures.example:8188", "PICTURES.example.", "192.168.1.5", "[2001:db8::1]:8188", "localhost"):
        assert (await reply({"host": host, "accept-language": "de"}, **options)).status_code == 200
    for host in ("evil.example", "pictures.example.evil.example", "["):
        refused = await reply({"host": host, "accept-language": "de"}, **options)
        assert refused.status_code == 403
        assert b"--allowed-host" in await refused.aread()
        assert (await reply({"host": host}, **options)).status_code == 200  # curl


# Headers of every answer


async def test_every_answer_keeps_browsers_from_guessing_and_from_being_framed():
    for headers in ({}, {"origin": "http://evil.example"}, {"host": "evil.example", "accept-language": "de"}):
        answer = await reply(headers)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"


async def test_pages_that_cors_lets_in_may_show_this_server():
    one = await reply({}, cors_origin="https://app.example")
    assert "x-frame-options" not in one.headers
    assert one.headers["content-security-policy"] == "frame-ancestors 'self' https://app.example"
    everybody = await reply({}, cors_origin="*")
    assert "x-frame-options" not in everybody.headers
    assert "content-security-policy" not in everybody.headers


@pytest.mark.parametrize("allowed", ["*", "https://app.example"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_cors_answers_every_page_with_comfyuis_headers(allowed, method):
    answer = await reply({"origin": "https://other.example"}, method, cors_origin=allowed)
    assert (answer.status_code, await answer.aread()) == (200, b"")
    assert answer.headers["access-control-allow-origin"] == allowed
    assert answer.headers["access-control-allow-credentials"] == "true"
    methods = set(answer.headers["access-control-allow-methods"].split(", "))
    assert methods >= {"POST", "GET", "DELETE", "PUT", "OPTIONS", "PATCH"}
    assert set(answer.headers["access-control-allow-headers"].split(", ")) >= {"Content-Type", "Authorization"}


async def test_without_cors_no_page_is_let_in():
    assert not any(name.startswith("access-control") for name in (await reply({})).headers)


async def test_what_a_route_says_itself_stays():
    async def strict(scope, receive, send):
        headers = [(b"X-Frame-Options", b"DENY"), (b"Access-Control-Allow-Origin", b"own"), (b"A", b"b")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    options = {"max_body_bytes": 1000, "allowed_hosts": (), "listens_on": "127.0.0.1"}
    for cors, frames, allowed in ((None, ["DENY"], ["own"]), ("*", ["DENY"], ["*"])):
        transport = httpx.ASGITransport(Boundary(strict, cors_origin=cors, **options))
        answer = await transport.handle_async_request(httpx.Request("GET", "http://127.0.0.1/"))
        assert answer.headers.get_list("x-frame-options") == frames
        assert answer.headers.get_list("access-control-allow-origin") == allowed
        assert answer.headers["a"] == "b"
