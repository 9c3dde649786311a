"""Keys that belong to a user."""

import asyncio
import json

from inglenook.api.access.scopes import Scope
from tests.api.access.conftest import GIVEN, keyed_server
from tests.api.live import picture_graph


async def test_the_key_of_a_user_is_that_user_whatever_the_request_says(tmp_path):
    async with keyed_server(tmp_path, api_key=GIVEN, multi_user=True) as server:
        ann, bob = [(await server.post("/users", {"username": name}, GIVEN)).json() for name in ("ann", "bob")]
        key = server.file.add("of ann", Scope.RUN, ann)[1]
        server.ring.reload()
        cookie = await server.logged_in(key)
        for headers in ({"X-API-Key": key}, {"Cookie": cookie, "Origin": server.url}):
            headers = {**headers, "Comfy-User": bob}
            assert (await server.post("/settings", {"mine": 1}, headers=headers)).status_code == 200
            assert (await server.get("/users", headers=headers)).json()["users"] == {ann: "ann"}
        assert (await server.get("/settings", GIVEN, headers={"Comfy-User": ann})).json() == {"mine": 1}
        assert (await server.get("/settings", GIVEN, headers={"Comfy-User": bob})).json() == {}
        async with server.socket(f"/ws?user={bob}", additional_headers={"X-API-Key": key}) as socket:
            assert json.loads(await socket.recv())["type"] == "status"


async def hears_length(socket, length):
    """Wait until a `status` tells that length of the queue."""
    async with asyncio.timeout(20):
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == "status" and message["data"]["status"]["exec_info"]["queue_remaining"] == length:
                return


async def test_a_socket_that_does_not_say_its_user_is_told_of_the_jobs_that_name_it(tmp_path):
    """The official editor cannot send `Comfy-User` on a socket; a bound key keeps its socket to its user."""
    async with keyed_server(tmp_path, api_key=GIVEN, multi_user=True) as server:
        ann, bob = [(await server.post("/users", {"username": name}, GIVEN)).json() for name in ("ann", "bob")]
        key = server.file.add("of ann", Scope.RUN, ann)[1]
        server.ring.reload()
        own, free = [{"X-API-Key": one} for one in (key, GIVEN)]
        async with (
            server.socket("/ws?clientId=e", additional_headers=own) as bound,
            server.socket("/ws?clientId=e", additional_headers=free) as open_,
            server.socket(f"/ws?clientId=e&user={bob}", additional_headers=free) as bobs,
        ):
            for one in (bound, open_, bobs):
                await hears_length(one, 0)
            body = {"prompt": picture_graph(), "client_id": "e"}
            for number in (1, 2):
                await server.post("/prompt", {**body, "number": number}, GIVEN, headers={"Comfy-User": bob})
                await hears_length(open_, number)
                await hears_length(bobs, number)
            kept = {**free, "Cookie": f"inglenook-user-{server.port}={bob}"}
            async with server.socket("/ws", additional_headers=kept) as of_browser:
                await hears_length(of_browser, 2)
            async with server.socket("/ws", additional_headers={**kept, **own}) as of_key:
                await hears_length(of_key, 0)
            await server.post("/prompt", body, key)
            await hears_length(bound, 1)
            await hears_length(open_, 1)


async def test_only_the_scope_admin_lets_a_user_see_others_and_make_keys(tmp_path):
    async with keyed_server(tmp_path, api_key=GIVEN, multi_user=True) as server:
        ann = (await server.post("/users", {"username": "ann"}, GIVEN)).json()
        for scope, code in ((Scope.RUN, 403), (Scope.ADMIN, 201)):
            key = server.file.add(f"of ann {scope}", scope, ann)[1]
            server.ring.reload()
            assert (await server.post("/keys", {"name": f"more {scope}"}, key)).status_code == code
            assert (await server.post("/users", {"username": "eve"}, key)).status_code == (403 if code == 403 else 200)


async def test_the_key_of_a_user_who_was_removed_is_nobodys(tmp_path):
    async with keyed_server(tmp_path, api_key=GIVEN, multi_user=True) as server:
        key = server.file.add("of nobody", Scope.RUN, "nobody_1234")[1]
        server.ring.reload()
        assert (await server.get("/settings", key)).status_code == 401


async def test_where_there_is_one_user_all_keys_are_of_that_one(tmp_path):
    async with keyed_server(tmp_path, api_key=GIVEN) as server:
        key = server.file.add("of ann", Scope.RUN, "ann_1234")[1]
        server.ring.reload()
        await server.post("/settings", {"a": 1}, key)
        assert (await server.get("/settings", GIVEN)).json() == {"a": 1}
