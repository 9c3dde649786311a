"""Keys that come and go while the server runs."""

import asyncio
import contextlib
import json

import pytest

from inglenook.api.access.keyfile import KeyFile, KeyFileError
from inglenook.api.access.keyring import KeyRing, read_uses
from inglenook.api.access.scopes import Scope
from inglenook.api.access.sessions import Sessions
from tests.api.access.conftest import GIVEN, keyed_server
from tests.api.idle import idle_services


async def until(condition):
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - the server says it by its answers only
            await asyncio.sleep(0.05)


def status_is(server, code, key, path="/queue"):
    async def check():
        return (await server.get(path, key)).status_code == code

    return check


async def test_a_running_server_takes_new_keys_and_drops_revoked_ones(tmp_path):
    async with keyed_server(tmp_path, api_key=GIVEN) as server:
        outside = KeyFile(server.file.path.parent)  # as another process has it
        _, text = outside.add("new", Scope.READ)
        await until(status_is(server, 200, text))
        outside.revoke("new")
        await until(status_is(server, 401, text))
        assert (await server.get("/queue", GIVEN)).status_code == 200


async def test_the_first_key_closes_a_running_server_and_the_last_does_not_open_it(tmp_path):
    async with keyed_server(tmp_path, insecure=True) as server:
        assert (await server.get("/queue")).status_code == 200
        _, text = server.file.add("first", Scope.ADMIN)
        await until(status_is(server, 401, None))
        assert (await server.get("/queue", text)).status_code == 200
        server.file.revoke("first")
        await until(status_is(server, 401, text))
        assert (await server.get("/queue")).status_code == 401
        server.file.path.unlink()
        await until(status_is(server, 200, None))


async def test_revoking_a_key_ends_its_logins_and_closes_its_sockets(tmp_path):
    async with keyed_server(tmp_path, api_key=GIVEN) as server:
        _, text = server.file.add("temporary", Scope.READ)
        server.ring.reload()
        cookie = {"Cookie": await server.logged_in(text)}
        sockets = {"X-API-Key": text}, {**cookie, "Origin": server.url}, {"X-API-Key": GIVEN}
        async with contextlib.AsyncExitStack() as stack:
            first, second, other = [
                await stack.enter_async_context(server.socket(additional_headers=headers)) for headers in sockets
            ]
            server.file.revoke("temporary")
            for socket in (first, second):
                async with asyncio.timeout(60):
                    await socket.wait_closed()
                assert socket.close_code == 1008
            assert (await server.get("/queue", headers=cookie)).status_code == 401
            await (await other.ping())


async def test_an_answer_that_is_being_sent_breaks_off_with_its_key():
    from inglenook.api.access.keys import digest
    from inglenook.api.access.layer import Access

    ring, live = ring_with_one_key()
    sent = []

    async def endless(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})
            if len(sent) == 5:
                live.ended.set()

    async def send(message):
        sent.append(message)

    access = Access(endless, ring, Sessions(ring.file.path.parent, ring), is_insecure=False, allowed_hosts=(),
                    cors_origin=None, max_json_depth=100)  # fmt: skip
    scope = {"type": "http", "method": "GET", "path": "/stream", "headers": [(b"x-api-key", GIVEN.encode())],
             "query_string": b"", "client": ("10.0.0.1", 1)}  # fmt: skip
    assert digest(GIVEN.encode()) == live.key.digest
    await access(scope, None, send)
    assert len(sent) == 5


def ring_with_one_key(folder=None):
    from pathlib import Path

    ring = KeyRing(folder or Path("/nonexistent"), [GIVEN])
    return ring, ring.find(GIVEN.encode())


async def test_a_damaged_key_file_changes_nothing_while_the_server_runs_and_stops_a_start(tmp_path, caplog):
    async with keyed_server(tmp_path, api_key=GIVEN) as server:
        _, text = server.file.add("kept", Scope.READ)
        server.ring.reload()
        server.file.path.write_text("{")
        server.ring.reload()
        assert (await server.get("/queue", text)).status_code == 200
        assert "stay as they were" in caplog.text
    with pytest.raises(KeyFileError, match=r"api_keys\.json"):
        async with idle_services(tmp_path):
            pass


@pytest.mark.parametrize(
    "content",
    ["[]", "{}", '{"version": 2, "keys": []}', '{"version": 1, "keys": [{}]}', '{"version": 1, "keys": 5}',
     '{"version": 1, "keys": [{"name": "a", "sha256": "00", "scope": "run", "user": null, "created": null,'
     ' "revoked": null}]}', "\xff"],
)  # fmt: skip
def test_a_key_file_that_is_none_is_named(tmp_path, content):
    file = KeyFile(tmp_path)
    file.path.write_text(content, encoding="latin-1")
    with pytest.raises(KeyFileError, match=r"api_keys\.json"):
        file.read()


def test_the_key_file_holds_no_key_and_is_nobody_elses_to_read(tmp_path):
    file = KeyFile(tmp_path)
    key, text = file.add("a", Scope.RUN, "bob")
    assert text.startswith("ink_")
    assert len(text) >= 40
    assert text[4:] not in file.path.read_text()
    assert file.path.stat().st_mode & 0o077 == 0
    assert file.read() == (key,)
    assert (key.user, key.scope) == ("bob", Scope.RUN)


def test_names_are_told_apart_until_they_are_free_again(tmp_path):
    file = KeyFile(tmp_path)
    file.add("a", Scope.RUN)
    with pytest.raises(KeyFileError, match="already"):
        file.add("a", Scope.RUN)
    (revoked,) = file.revoke("a")
    with pytest.raises(KeyFileError, match="no live key"):
        file.revoke(revoked.id)
    file.add("a", Scope.RUN)
    for name in ("", "a" * 101, "a\nb"):
        with pytest.raises(KeyFileError, match="printable"):
            file.add(name, Scope.RUN)


def test_processes_that_add_keys_at_once_lose_none(tmp_path):
    import subprocess
    import sys

    program = "import sys; from pathlib import Path; from inglenook.api.access.keyfile import KeyFile\n" \
        "from inglenook.api.access.scopes import Scope\n" \
        "for n in range(10): KeyFile(Path(sys.argv[1])).add(sys.argv[2] + str(n), Scope.READ)"  # fmt: skip
    children = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), name]) for name in "abc"]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert len(KeyFile(tmp_path).read()) == 30


async def test_the_use_of_a_key_is_noted(tmp_path):
    async with keyed_server(tmp_path, api_key=GIVEN) as server:
        key, text = server.file.add("used", Scope.READ)
        server.ring.reload()
        assert server.ring.last_used(key.id) is None
        await server.get("/queue", text)
        assert server.ring.last_used(key.id) is not None
    assert key.id in read_uses(server.file.path.parent)
    async with keyed_server(tmp_path, api_key=GIVEN) as server:
        listed = {entry["name"]: entry for entry in (await server.get("/keys", GIVEN)).json()["keys"]}
    assert listed["used"]["last_used"] is not None
    assert listed["--api-key"]["created"] is None


# /keys


async def test_keys_are_made_and_revoked_over_http(tmp_path):
    async with keyed_server(tmp_path, api_key=GIVEN) as server:
        made = await server.post("/api/keys", {"name": "phone", "scope": "read", "user": "bob"}, GIVEN)
        assert made.status_code == 201
        entry = made.json()
        assert (await server.get("/queue", entry["key"])).status_code == 200
        listed = (await server.get("/keys", GIVEN)).text
        assert "phone" in listed
        assert entry["key"] not in listed
        assert "sha256" not in listed
        async with server.client(GIVEN) as http:
            assert (await http.delete(f"/keys/{entry['id']}")).status_code == 204
            assert (await http.delete(f"/keys/{entry['id']}")).status_code == 404
            assert (await http.delete("/keys/no-such-key")).status_code == 404
        assert (await server.get("/queue", entry["key"])).status_code == 401


@pytest.mark.parametrize(
    "body",
    [{}, {"name": 5}, {"name": ""}, {"name": "a\0"}, {"name": "a", "scope": "all"}, {"name": "a", "scope": ["run"]},
     {"name": "a", "user": 5}, {"name": "a", "user": ""}, {"name": "a" * 200}, [], "x", {"name": "\ud800"}],
)  # fmt: skip
async def test_a_key_that_cannot_be_is_refused(tmp_path, body):
    async with keyed_server(tmp_path, api_key=GIVEN) as server, server.client(GIVEN) as http:
        answer = await http.post("/keys", content=json.dumps(body))
        assert answer.status_code == 400
        assert answer.json()["error"]["type"] in ("invalid_request", "invalid_json")


@pytest.mark.parametrize("field", ["scopes", "Scope", "expires"])
async def test_a_field_that_is_not_known_does_not_make_a_wider_key(tmp_path, field):
    async with keyed_server(tmp_path, api_key=GIVEN) as server:
        answer = await server.post("/keys", {"name": "a", field: ["read"]}, GIVEN)
        assert answer.status_code == 400
        assert repr(field) in answer.json()["error"]["message"]
        assert [
            entry["name"] for entry in (await server.get("/keys", GIVEN)).json()["keys"] if entry["name"] == "a"
        ] == []


async def test_nobody_makes_the_first_key_over_http(tmp_path):
    async with keyed_server(tmp_path, insecure=True) as server:
        answer = await server.post("/keys", {"name": "mine", "scope": "admin"})
        assert answer.status_code == 403
        assert "inglenook keys add" in answer.json()["error"]["details"]
        assert (await server.get("/keys")).json() == {"keys": []}
