"""Users and their settings, in one server and in one that tells its users apart."""

import asyncio
import json
import re
from functools import partial

import httpx
import pytest
import websockets.asyncio.client
from websockets.exceptions import InvalidStatus

from inglenook.api.access.scopes import CALLER_SCOPE, Scope
from inglenook.api.identity import USER, Identity
from tests.api.idle import NeverReady, idle_server
from tests.api.packs import serving

connect = partial(websockets.asyncio.client.connect, open_timeout=60)


@pytest.fixture
async def several(tmp_path):
    async with idle_server(tmp_path, multi_user=True) as server:
        yield server


async def add(server, name):
    reply = await server.http.post("/users", content=json.dumps({"username": name}))
    assert reply.status_code == 200, reply.text
    return reply.json()


async def test_a_single_user_is_told_whether_there_is_a_folder(idle, tmp_path):
    assert (await idle.http.get("/users")).json() == {"storage": "server", "migrated": False}
    await idle.http.post("/settings/a", content="1")
    assert (await idle.http.get("/api/users")).json() == {"storage": "server", "migrated": True}
    assert json.loads((tmp_path / "user/default/comfy.settings.json").read_text()) == {"a": 1}


@pytest.mark.parametrize("is_several", [False, True])
async def test_users_are_added_and_removed(tmp_path, is_several):
    async with idle_server(tmp_path, multi_user=is_several) as server:
        user_id = await add(server, "bob the 1st")
        assert re.fullmatch(r"bob-the-1st_[0-9a-f-]{36}", user_id)
        assert json.loads((tmp_path / "user/users.json").read_text()) == {user_id: "bob the 1st"}
        assert (await server.http.delete(f"/users/{user_id}")).status_code == 204
        assert (await server.http.delete(f"/users/{user_id}")).status_code == 404
        assert json.loads((tmp_path / "user/users.json").read_text()) == {}


async def test_the_users_of_a_comfyui_folder_are_there(tmp_path):
    (tmp_path / "user").mkdir()
    (tmp_path / "user/users.json").write_text('{"ann_1": "Ann", "inglenook": "x", "../up": "y", "__sys": "z", "n": 3}')
    (tmp_path / "user/ann_1").mkdir()
    (tmp_path / "user/ann_1/comfy.settings.json").write_text('{"a": NaN, "b": 1}')
    async with idle_server(tmp_path, multi_user=True) as server:
        assert (await server.http.get("/users")).json() == {"storage": "server", "users": {"ann_1": "Ann"}}
        reply = await server.http.get("/settings", headers={"Comfy-User": "ann_1"})
        assert reply.json() == {"a": None, "b": 1}


@pytest.mark.parametrize(
    "body",
    ['{"username": ""}', '{"username": "  "}', "{}", '{"username": 3}', '{"username": null}', '{"username": "__a"}',
     '{"username": "a\\u0000b"}', json.dumps({"username": "x" * 1000})],
)  # fmt: skip
async def test_a_name_that_is_none_is_refused(idle, body):
    reply = await idle.http.post("/users", content=body)
    assert reply.status_code == 400
    assert isinstance(reply.json()["error"], str)


@pytest.mark.parametrize("body", ["", "[]", '"bob"', "nonsense", '{"username": "\\ud800"}', "[" * 5000])
async def test_a_body_that_is_none_is_refused(idle, body):
    assert (await idle.http.post("/users", content=body)).status_code == 400


async def test_a_name_is_given_once(idle):
    await add(idle, "bob")
    reply = await idle.http.post("/users", content='{"username": " bob "}')
    assert (reply.status_code, reply.json()) == (400, {"error": "Duplicate username."})


@pytest.mark.parametrize(
    ("user_id", "status"),
    [("default", 400), ("inglenook", 404), ("%2e%2e", 404), ("..%2f..", 404), ("%00", 404), ("x", 404)],
)
async def test_some_users_cannot_be_deleted(idle, user_id, status):
    assert (await idle.http.delete(f"/users/{user_id}")).status_code == status


async def test_each_user_has_settings_of_their_own(several):
    ann, bob = {"Comfy-User": await add(several, "ann")}, {"Comfy-User": await add(several, "bob")}
    await several.http.post("/settings", content='{"a": 1}', headers=ann)
    await several.http.post("/settings", content='{"a": 2}', headers=bob)
    for headers, value in ((ann, {"a": 1}), (bob, {"a": 2}), ({}, {})):
        assert (await several.http.get("/settings", headers=headers)).json() == value


BROWSER = {"Accept-Language": "en"}


async def test_what_a_browser_loads_without_headers_is_for_the_user_that_it_acts_as(several):
    """Pictures, sounds and sockets of the editor's page; its scripts send `Comfy-User`."""
    ann, bob = await add(several, "ann"), await add(several, "bob")
    for user in (ann, bob):
        await several.http.post("/settings", json={"is": user}, headers={"Comfy-User": user})
    assert not several.http.cookies, "no browser"
    for user in (ann, bob, "default", ann):
        answer = await several.http.get("/users", headers={**BROWSER, "Comfy-User": user})
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert "set-cookie" not in (await several.http.get("/users", headers={**BROWSER, "Comfy-User": user})).headers
        expected = {} if user == "default" else {"is": user}
        assert (await several.http.get("/settings", headers=BROWSER)).json() == expected
    await several.http.post("/settings", json={"changed": True}, headers=BROWSER)
    assert (await several.http.get("/settings", headers={"Comfy-User": "default"})).json() == {"changed": True}
    await several.http.delete(f"/users/{ann}")
    assert (await several.http.get("/settings", headers=BROWSER)).json() == {"changed": True}, "who is gone is nobody"


@pytest.mark.parametrize("user", ["nobody", ""])
async def test_a_browser_keeps_no_user_that_is_none(several, user):
    answer = await several.http.get("/users", headers={**BROWSER, "Comfy-User": user})
    assert "set-cookie" not in answer.headers


async def test_a_key_counts_more_than_what_the_browser_keeps(tmp_path):
    async with idle_server(tmp_path, multi_user=True) as server:
        ann, bob = await add(server, "ann"), await add(server, "bob")
        scope = {"type": "http", "method": "GET", "headers": [(b"cookie", f"inglenook-user={bob}".encode())], USER: ann}
        seen = []

        async def app(scope, receive, send):
            seen.append(scope[USER])

        await Identity(app, server.services.users, is_multi_user=True)(scope, None, None)
        del scope[USER]
        await Identity(app, server.services.users, is_multi_user=True)(scope, None, None)
        assert seen == [ann, bob]


async def test_the_header_means_nothing_with_a_single_user(idle):
    await idle.http.post("/settings", content='{"a": 1}', headers={"Comfy-User": "nobody"})
    assert (await idle.http.get("/settings")).json() == {"a": 1}


_OF_USERS = (
    ("GET", "/settings", 401),
    ("GET", "/settings/a", 401),
    ("POST", "/settings", 401),
    ("POST", "/settings/a", 401),
    ("GET", "/userdata?dir=.", 401),
    ("GET", "/userdata/jobs.sqlite", 401),
    ("POST", "/userdata/a", 401),
    ("POST", "/userdata", 401),
    ("DELETE", "/userdata/a", 401),
    ("POST", "/userdata/a/move/b", 401),
    ("GET", "/v2/userdata", 403),
    ("GET", "/api/v2/userdata", 403),
    ("GET", "/object_info", 200),
)


async def test_a_user_who_is_not_there_reaches_no_folder(several, tmp_path):
    (tmp_path / "user/inglenook").mkdir(parents=True)
    (tmp_path / "user/users.json").write_text(json.dumps({"inglenook": "x", "INGLENOOK": "x", "__system": "y"}))
    for user_id in ("nobody", "__system", "inglenook", "INGLENOOK", "..", "../user/default", "a/b", "é"):
        for method, path, status in _OF_USERS:
            content = "{}" if method == "POST" else None
            reply = await several.http.request(method, path, headers={"Comfy-User": user_id.encode()}, content=content)
            assert reply.status_code == status, (user_id, method, path)
    assert [path.name for path in (tmp_path / "user/inglenook").iterdir()] == []


async def test_a_key_that_belongs_to_a_user_decides_who_it_is(several):
    """Whoever checks keys puts the user into the scope before `Identity` sees the request."""
    ann, bob = await add(several, "ann"), await add(several, "bob")
    app = several.http._transport.app

    async def with_key(scope, receive, send):
        await app({**scope, USER: ann, CALLER_SCOPE: Scope.RUN}, receive, send)

    transport = httpx.ASGITransport(with_key)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers={"Comfy-User": bob}) as http:
        await http.post("/settings", content='{"a": 1}')
        assert (await http.get("/users")).json()["users"] == {ann: "ann"}
    assert (await several.http.get("/settings", headers={"Comfy-User": ann})).json() == {"a": 1}
    assert (await several.http.get("/settings", headers={"Comfy-User": bob})).json() == {}


async def test_a_socket_names_its_user_in_the_query(tmp_path):
    async with serving(tmp_path, NeverReady(), multi_user=True) as server:
        user_id = (await server.http.post("/users", content='{"username": "ann"}')).json()
        address = f"ws://127.0.0.1:{server.port}/ws?clientId=a"
        for query in ("", f"&user={user_id}"):
            async with connect(address + query) as socket:
                assert json.loads(await socket.recv())["type"] == "status"
        with pytest.raises(InvalidStatus):
            async with connect(address + "&user=nobody"):
                pass


# Settings


async def test_settings_are_merged_and_read_one_by_one(idle):
    reply = await idle.http.post(
        "/settings", content='{"a": {"b": [1]}, "c": null}', headers={"content-type": "text/plain"}
    )
    assert (reply.status_code, reply.content) == (200, b"")
    assert "content-type" not in reply.headers
    reply = await idle.http.post("/api/settings/Comfy.Lo%2Fcale", content='"zh"')
    assert (reply.status_code, reply.content) == (200, b"")
    assert (await idle.http.get("/settings")).json() == {"a": {"b": [1]}, "c": None, "Comfy.Lo/cale": "zh"}
    assert (await idle.http.get("/settings/Comfy.Lo%2Fcale")).json() == "zh"
    for never in ("x", "%ff", "%00"):
        assert (await idle.http.get(f"/settings/{never}")).content == b"null"


async def test_settings_that_were_sent_at_once_are_all_kept(idle):
    async with asyncio.TaskGroup() as group:
        for index in range(40):
            group.create_task(idle.http.post(f"/settings/s{index}", content=str(index)))
    assert (await idle.http.get("/settings")).json() == {f"s{index}": index for index in range(40)}


async def test_settings_that_cannot_be_read_count_as_none_and_are_kept_aside(idle, tmp_path):
    folder = tmp_path / "user/default"
    folder.mkdir(parents=True)
    (folder / "comfy.settings.json").write_text("{damaged")
    assert (await idle.http.get("/settings")).json() == {}
    assert (await idle.http.post("/settings", content='{"a": 1}')).status_code == 200
    assert (await idle.http.get("/settings")).json() == {"a": 1}
    assert (folder / "comfy.settings.json.unreadable").read_text() == "{damaged"


@pytest.mark.parametrize(
    "content", ["[1]", "7", '"x"', "null", "x", "NaN", '{"a": NaN}', '{"a": 1e999}', '{"a":' * 3000]
)
async def test_settings_must_be_an_object(idle, content):
    assert (await idle.http.post("/settings", content=content)).status_code == 400
    assert (await idle.http.get("/settings")).json() == {}


@pytest.mark.parametrize(("path", "content"), [("a", ""), ("a", "x"), ("a", "NaN"), ("%ff", "1"), ("a", "[" * 200)])
async def test_a_setting_must_have_a_name_and_a_value(idle, path, content):
    assert (await idle.http.post(f"/settings/{path}", content=content)).status_code == 400
