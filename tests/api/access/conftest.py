"""A real server that needs keys, in this process, whose one worker never gets ready."""

from contextlib import asynccontextmanager

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from inglenook.api.access import throttle
from inglenook.api.access.scopes import Scope
from tests.api.idle import NeverReady
from tests.api.live import NO_TLS
from tests.api.packs import serving

GIVEN = "given-at-the-start-of-the-server"


class Keyed:
    """The server; `made` has a key of each scope."""

    def __init__(self, server, ring):
        self.port, self.ring, self.file = server.port, ring, ring.file
        self.url = f"http://127.0.0.1:{server.port}"
        self.raw = server.raw
        self.made = {}

    def client(self, key=None, **options):
        headers = options.pop("headers", {})
        if key is not None:
            headers = {**headers, "Authorization": f"Bearer {key}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60, verify=NO_TLS, **options)

    async def get(self, path, key=None, **options):
        async with self.client(key) as http:
            return await http.get(path, **options)

    async def post(self, path, body=None, key=None, **options):
        if body is not None:
            options["json"] = body
        async with self.client(key) as http:
            return await http.post(path, **options)

    def socket(self, path="/ws", **options):
        return connect(f"ws://127.0.0.1:{self.port}{path}", open_timeout=60, **options)

    async def logged_in(self, key, **headers):
        """The Cookie header of a browser that has logged in with this key."""
        own = {"Origin": self.url, **headers}
        async with self.client(headers=own) as http:
            answer = await http.post("/login", data={"key": key})
        assert answer.status_code == 303, answer.text
        return answer.headers["set-cookie"].partition(";")[0]


@asynccontextmanager
async def keyed_server(folder, worker=None, **settings):
    """A server with these settings; its key file is followed."""
    async with serving(folder, worker or NeverReady(), **settings) as server, server.keys.watching() as ring:
        yield Keyed(server, ring)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keyed(tmp_path_factory):
    """One for a module, on which nobody is slowed down for wrong keys."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(throttle, "ALLOWED", 1_000_000)
        async with keyed_server(tmp_path_factory.mktemp("keyed"), api_key=GIVEN) as server:
            for scope in Scope:
                server.made[scope.label] = server.file.add(f"for {scope.label}", scope)[1]
            server.ring.reload()
            yield server
