"""Keys that belong to a user."""

import json

from inglenook.api.access.scopes import Scope
from tests.api.access.conftest import GIVEN, keyed_server


async def test_the_key_of_a_user_is_that_user_whatever_the_request_says(tmp_path):
    async with keyed_server(tmp_path, api_key=GIVEN, multi_user=True) as server:
        ann, bob = [(await server.post("/users", {"username": name}, GIVEN)).json() for name in ("ann", "bob")]
        key = server.file.add("of ann", Scope.ADMIN, ann)[1]
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


async def test_the_key_of_a_user_cannot_become_a_key_for_all(tmp_path):
    async with keyed_server(tmp_path, api_key=GIVEN, multi_user=True) as server:
        ann = (await server.post("/users", {"username": "ann"}, GIVEN)).json()
        key = server.file.add("of ann", Scope.ADMIN, ann)[1]
        server.ring.reload()
        assert (await server.post("/keys", {"name": "more"}, key)).status_code == 403
        assert (await server.get("/keys", key)).status_code == 403
        async with server.client(key) as http:
            assert (await http.delete("/keys/of ann")).status_code == 403


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
