"""The editor in front of other servers gets the scripts of their node packs."""

import pytest
from aiohttp import web

from inglenook.media.folders import Folders
from inglenook.packs.report import PackReport
from inglenook.settings import Settings
from inglenook.workers.remote import RemoteWorker
from tests.api.idle import NeverReady, idle_server
from tests.workers.remote.conftest import QUICK
from tests.workers.remote.listening import eventually
from tests.workers.remote.peer import RemotePeer

SCRIPT = b"export const far = 1;"


class Local(NeverReady):
    def __init__(self, *packs):
        self.packs = packs


@pytest.fixture
async def peer():
    async with RemotePeer().serving() as peer:
        asked = peer.asked = []

        async def extensions(request):
            return web.json_response(
                ["/extensions/core/theirs.js", "/extensions/far%20pack/a%20b.js", "/extensions/both/theirs.js",
                 "/extensions/far%20pack/lib/../../up.js", "/extensions/far%20pack/.hidden.js", "https://evil/x.js",
                 "/extensions/far%20pack/%2e%2e/%2e%2e/x.js", "/extensions/..", 7, None,
                 "/extensions/far%20pack/page.html"]
            )  # fmt: skip

        async def script(request):
            asked.append(dict(request.headers))
            return web.Response(body=SCRIPT, content_type="text/html", headers={"Set-Cookie": "theirs=1"})

        async def large(request):
            return web.Response(body=b"x" * (2 << 20))

        async def broken(request):
            return web.Response(status=500)

        peer.special |= {
            ("GET", "/extensions"): extensions,
            ("GET", "/extensions/far pack/a b.js"): script,
            ("GET", "/extensions/far pack/lib/style.css"): script,
            ("GET", "/extensions/far pack/.env"): script,
            ("GET", "/extensions/both/theirs.js"): script,
            ("GET", "/extensions/far pack/large.js"): large,
            ("GET", "/extensions/far pack/broken.js"): broken,
            ("GET", "/secret.js"): script,
        }
        yield peer


@pytest.fixture
async def http(tmp_path, peer):
    own = tmp_path / "both" / "web"
    own.mkdir(parents=True)
    (own / "ours.js").write_text("ours")
    folders = Folders.from_settings(Settings(base_directory=tmp_path / "front"))
    far = RemoteWorker("far", peer.url, folders=folders, api_key="of the pool", limits=QUICK)
    local = Local(PackReport("both", str(own.parent), ["A"], web_directory=str(own)))
    async with idle_server(tmp_path, local) as server:
        await server.services.dispatcher.add_worker(far)
        try:
            await eventually(lambda: far.extensions, 30)
            yield server.http
        finally:
            await far.close()


async def test_scripts_of_other_servers_are_listed_unless_the_pack_is_here(http):
    listed = (await http.get("/extensions")).json()
    assert [one for one in listed if not one.startswith("/extensions/core/")] == [
        "/extensions/both/ours.js",
        "/extensions/far%20pack/a%20b.js",
    ]


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_a_script_comes_from_the_server_that_has_it_as_one_of_ours_would(http, peer, prefix):
    headers = {"Cookie": "session=mine", "Authorization": "Bearer of a client", "X-Own": "1"}
    reply = await http.get(f"{prefix}/extensions/far%20pack/a%20b.js", headers=headers)
    assert (reply.status_code, reply.content) == (200, SCRIPT)
    assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-cache"
    assert "set-cookie" not in reply.headers
    (sent,) = peer.asked
    assert sent["Authorization"] == "Bearer of the pool"
    assert not {"Cookie", "X-Own"} & sent.keys()
    again = await http.get("/extensions/far%20pack/a%20b.js", headers={"If-None-Match": reply.headers["etag"]})
    assert again.status_code == 304
    assert (await http.get("/extensions/far%20pack/lib/style.css")).headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("far%20pack/nothing.js", 404),
        ("far%20pack/.env", 404),
        ("far%20pack/%2e%2e/%2e%2e/secret.js", 404),
        ("far%20pack/..%2f..%2fsecret.js", 404),
        ("far%20pack/a%00b.js", 404),
        ("far%20pack/", 404),
        ("far%20pack/large.js", 502),
        ("far%20pack/broken.js", 502),
        ("both/theirs.js", 404),
        ("nobody/a.js", 404),
    ],
)
async def test_nothing_else_is_fetched(http, peer, path, status):
    assert (await http.get(f"/extensions/{path}")).status_code == status
    assert peer.asked == []
