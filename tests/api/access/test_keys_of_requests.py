"""Where a key may stand, over real sockets, and what those hear who give none, a wrong one, or one too small."""

import json
import logging

import pytest
from websockets.exceptions import InvalidStatus

from tests.api.access.conftest import GIVEN, keyed_server
from tests.api.live import picture_graph

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLACES = [
    {"Authorization": "Bearer {}"},
    {"authorization": "bearer  {}"},
    {"X-API-Key": "{}"},
    {"X-API-Key": "{}", "Authorization": "Basic dXNlcjpwYXNz"},
    {"X-API-Key": "{}", "Authorization": "Bearer of-the-proxy-before"},
]


@pytest.mark.parametrize("place", PLACES)
async def test_a_key_in_a_header_is_taken(keyed, place):
    for key in (GIVEN, keyed.made["read"]):
        headers = {name: value.format(key) for name, value in place.items()}
        assert (await keyed.get("/queue", headers=headers)).status_code == 200
        assert (await keyed.get("/api/queue", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Cookie": "inglenook-00000000=x; a=b"},
        {"Authorization": "Bearer"},
        {"X-API-Key": ""},
        {"X-API-Key": "wrong-key-wrong-key"},
        {"Authorization": "Bearer \xff\xfe"},
        {"Authorization": f"Bearer {GIVEN}x"},
        {"Authorization": GIVEN},
    ],
)
@pytest.mark.parametrize("path", ["/queue", "/api/queue", "/view?filename=a.png", "/nothing", "/docs", "/metrics", "/"])
async def test_without_a_right_key_nothing_is_told(keyed, headers, path):
    headers = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = await keyed.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    error = answer.json()["error"]
    assert error["type"] == "unauthorized"
    assert "Authorization: Bearer" in error["details"]


async def test_a_token_in_the_address_counts_for_sockets_alone(keyed):
    assert (await keyed.get(f"/queue?token={GIVEN}")).status_code == 401
    async with keyed.socket(f"/ws?clientId=a&token={GIVEN}") as socket:
        first = json.loads(await socket.recv())
    assert first["data"]["sid"] == "a"
    quoted = "%67" + GIVEN[1:]
    async with keyed.socket(f"/api/ws?token={quoted}") as socket:
        await socket.recv()
    async with keyed.socket(additional_headers={"X-API-Key": GIVEN}) as socket:
        await socket.recv()


@pytest.mark.parametrize("path", ["/ws", "/ws?token=wrong-wrong-wrong", "/ws?token=", "/api/ws?clientId=a", "/other"])
async def test_a_socket_without_a_right_key_is_refused_before_it_opens(keyed, path, caplog):
    with pytest.raises(InvalidStatus) as refused:
        async with keyed.socket(path):
            pass
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body)["error"]["type"] == "unauthorized"
    assert refused.value.response.headers["WWW-Authenticate"].startswith("Bearer")
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_where_a_server_cannot_answer_a_handshake_the_socket_is_closed(tmp_path):
    from inglenook.api.access import refusals

    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    await refusals.refuse(refusals.key_missing(), {"type": "websocket", "path": "/ws", "headers": []}, receive, send)
    assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", 1008)]


# extra_data.api_key


def prompt(key, **fields):
    return {"prompt": {"1": {}}, "extra_data": {"api_key": key}, **fields}


@pytest.mark.parametrize("path", ["/prompt", "/api/prompt"])
async def test_the_key_in_the_body_of_a_prompt_is_taken(tmp_path, path):
    async with keyed_server(tmp_path, api_key=GIVEN) as keyed:
        body = {"prompt": picture_graph(), "extra_data": {"api_key": GIVEN}}
        answer = await keyed.post(path, body)
        assert answer.status_code == 200, answer.text
        queue = (await keyed.get("/queue", GIVEN)).text
        assert answer.json()["prompt_id"] in queue
        assert GIVEN not in queue
        escaped = json.dumps(body).replace("api_key", "\\u0061pi_key")
        async with keyed.client() as http:
            assert (await http.post(path, content=escaped)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"api_key"',
        b'{"api_key": "%s"}' % GIVEN.encode(),
        b'{"extra_data": "%s"}' % GIVEN.encode(),
        b'{"extra_data": {"api_key": ["%s"]}}' % GIVEN.encode(),
        b'{"extra_data": {"api_key": "wrong-wrong-wrong"}}',
        b'{"extra_data": {"api_key": "\\ud800"}}',
        b'{"extra_data": {"api_key": "%s"}, "a": %s}' % (GIVEN.encode(), b"[" * 500 + b"]" * 500),
    ],
)
async def test_other_bodies_are_no_key(keyed, body):
    async with keyed.client() as http:
        assert (await http.post("/prompt", content=body)).status_code == 401


async def test_the_body_of_no_other_route_is_looked_at(keyed):
    for path in ("/queue", "/free", "/interrupt", "/history", "/upload/image", "/settings"):
        assert (await keyed.post(path, prompt(GIVEN))).status_code == 401
    async with keyed.client() as http:
        assert (await http.put("/prompt", json=prompt(GIVEN))).status_code == 401


async def test_a_body_with_a_key_may_not_be_as_large_as_others(keyed):
    body = json.dumps(prompt(GIVEN)).encode() + b" " * (17 << 20)
    async with keyed.client() as http:
        answer = await http.post("/prompt", content=body)
    assert answer.status_code == 413
    assert "Authorization" in answer.json()["error"]["details"]
    async with keyed.client(GIVEN) as http:
        assert (await http.post("/prompt", content=body)).status_code == 400  # no class


# Scopes

RUN = [
    ("POST", "/prompt"),
    ("POST", "/queue"),
    ("POST", "/interrupt"),
    ("POST", "/upload/image"),
    ("POST", "/api/upload/mask"),
]
ADMIN = [
    ("POST", "/history"),
    ("POST", "/free"),
    ("POST", "/keys"),
    ("GET", "/keys"),
    ("GET", "/api/keys"),
    ("DELETE", "/keys/x"),
    ("POST", "/users"),
    ("POST", "/no/such/route"),
    ("GET", "/internal/logs"),
    ("DELETE", "/api/outputs/a.png"),
    ("POST", "/api/assets/prune"),
]


@pytest.mark.parametrize(("method", "path"), RUN)
async def test_what_runs_workflows_needs_the_scope_run(keyed, method, path):
    for scope, is_allowed in (("read", False), ("run", True), ("admin", True)):
        async with keyed.client(keyed.made[scope]) as http:
            answer = await http.request(method, path, json={})
        assert (answer.status_code == 403) is not is_allowed
        if not is_allowed:
            assert answer.json()["error"]["type"] == "insufficient_scope"
            assert "'run'" in answer.json()["error"]["details"]


@pytest.mark.parametrize(("method", "path"), ADMIN)
async def test_the_rest_that_changes_something_needs_the_scope_admin(keyed, method, path):
    for scope, is_allowed in (("read", False), ("run", False), ("admin", True)):
        async with keyed.client(keyed.made[scope]) as http:
            answer = await http.request(method, path, json={})
        assert (answer.status_code == 403) is not is_allowed, answer.text


async def test_a_small_key_in_the_body_of_a_prompt_is_not_enough(keyed):
    assert (await keyed.post("/prompt", prompt(keyed.made["read"]))).status_code == 403


async def test_head_needs_what_get_needs(keyed):
    async with keyed.client() as http:
        assert (await http.head("/queue")).status_code == 401
    async with keyed.client(keyed.made["read"]) as http:
        assert (await http.head("/queue")).status_code == 200
        assert (await http.head("/keys")).status_code == 403


async def test_a_preflight_needs_no_key_and_pages_that_cors_allows_see_why_they_are_refused(tmp_path):
    async with keyed_server(tmp_path, api_key=GIVEN, cors_origin="https://app.example") as keyed:
        async with keyed.client(headers={"Origin": "https://app.example"}) as http:
            preflight = await http.options("/prompt")
            refused = await http.get("/queue")
        assert preflight.status_code == 200
        assert "Authorization" in preflight.headers["access-control-allow-headers"]
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "https://app.example"


async def test_what_balancers_ask_is_open(keyed):
    for path in ("/health/live", "/health/ready", "/api/health/live"):
        assert (await keyed.get(path)).status_code != 401
        assert (await keyed.post(path)).status_code == 401


async def test_one_request_tries_few_keys(keyed):
    many = [("X-API-Key", f"wrong-{number}") for number in range(50)]
    assert (await keyed.get("/queue", headers=[*many, ("X-API-Key", GIVEN)])).status_code == 401


async def test_a_key_for_reading_submits_nothing_over_a_socket_either(keyed):
    message = json.dumps({"type": "execute", "data": {"prompt": picture_graph()}})
    async with keyed.socket(additional_headers={"X-API-Key": keyed.made["read"]}) as socket:
        await socket.send(message)
        await socket.send(message)
        await (await socket.ping())
    queue = (await keyed.get("/queue", GIVEN)).json()
    assert queue == {"queue_running": [], "queue_pending": []}
