"""Scripts of node packs for the editor."""

import os
from pathlib import Path

import pytest
from aiohttp import web

from inglenook.packs.prompt_server import PromptServer
from inglenook.packs.report import PackReport
from tests.api.idle import NeverReady, idle_server
from tests.api.packs import pack_server

FILES = {
    "acme.js": "export const one = 1;",
    "lib/deep/more.js": "export {};",
    "lib/odd name #1.JS": "export {};",
    "lib/module.mjs": "export {};",
    "style.css": "a {}",
    "page.html": "<p>ö",
    "data.json": "{}",
    "icon.svg": "<svg/>",
    "code.wasm": "\0asm",
    "font.woff2": "font",
    "picture.PNG": "png",
    "unknown.xyz": "?",
    ".git/hook.js": "secret",
    ".env": "SECRET=1",
}


class Worker(NeverReady):
    def __init__(self, *packs):
        self.packs = packs


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def acme(tmp_path):
    web_folder = tmp_path / "custom_nodes" / "acme-pack" / "web"
    write(web_folder, FILES)
    (tmp_path / "custom_nodes" / "acme-pack" / "secret.js").write_text("secret")
    return PackReport("acme-pack", str(web_folder.parent), ["AcmeNode"], 0.25, web_directory=str(web_folder))


@pytest.fixture
async def http(tmp_path, acme):
    broken = PackReport("broken", str(tmp_path), error="ImportError: no acme", web_directory=acme.web_directory)
    gone = PackReport("gone", str(tmp_path), warnings=["one class"], web_directory=str(tmp_path / "gone"))
    plain = PackReport("plain", str(tmp_path))
    spaced = PackReport("ö & co", str(tmp_path), web_directory=str(Path(acme.web_directory) / "lib" / "deep"))
    async with idle_server(tmp_path, Worker(spaced, acme, broken, gone, plain, acme)) as server:
        yield server.http


def of_packs(listed):
    """Without the scripts of the editor itself, where one is installed."""
    return [script for script in listed if not script.startswith("/extensions/core/")]


async def test_every_script_of_every_pack_is_listed(http):
    listed = of_packs((await http.get("/extensions")).json())
    assert listed == [
        "/extensions/%C3%B6%20%26%20co/more.js",
        "/extensions/acme-pack/acme.js",
        "/extensions/acme-pack/lib/deep/more.js",
        "/extensions/acme-pack/lib/odd%20name%20%231.JS",
    ]
    assert of_packs((await http.get("/api/extensions")).json()) == listed
    for address in listed:
        reply = await http.get(address)
        assert (reply.status_code, reply.headers["content-type"]) == (200, "text/javascript; charset=utf-8")


async def test_without_packs_there_are_no_scripts(tmp_path):
    async with idle_server(tmp_path) as server:
        assert of_packs((await server.http.get("/extensions")).json()) == []
        assert (await server.http.get("/system_stats")).json()["system"]["custom_nodes"] == []


@pytest.mark.parametrize(
    ("name", "media_type", "cache"),
    [
        ("acme.js", "text/javascript; charset=utf-8", "no-cache"),
        ("lib/module.mjs", "text/javascript; charset=utf-8", "no-cache"),
        ("style.css", "text/css; charset=utf-8", "no-cache"),
        ("page.html", "text/html; charset=utf-8", None),
        ("data.json", "application/json; charset=utf-8", None),
        ("icon.svg", "image/svg+xml", None),
        ("code.wasm", "application/wasm", None),
        ("font.woff2", "font/woff2", None),
        ("picture.PNG", "image/png", "public, max-age=86400"),
        ("unknown.xyz", "application/octet-stream", None),
    ],
)
async def test_a_file_is_sent_as_what_it_is(http, name, media_type, cache):
    reply = await http.get(f"/extensions/acme-pack/{name}")
    assert (reply.status_code, reply.text) == (200, FILES[name])
    assert reply.headers["content-type"] == media_type
    assert reply.headers.get("cache-control") == cache
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "content-disposition" not in reply.headers
    assert "content-security-policy" not in reply.headers


async def test_a_file_that_a_browser_has_is_not_sent_again(http, acme):
    first = await http.get("/extensions/acme-pack/acme.js")
    again = await http.get("/extensions/acme-pack/acme.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    write(Path(acme.web_directory), {"acme.js": "changed, and longer than before"})
    changed = await http.get("/extensions/acme-pack/acme.js", headers={"if-none-match": first.headers["etag"]})
    assert changed.text == "changed, and longer than before"
    part = await http.get("/extensions/acme-pack/acme.js", headers={"range": "bytes=0-6"})
    assert (part.status_code, part.text) == (206, "changed")
    assert (await http.head("/extensions/acme-pack/acme.js")).headers["content-length"] == "31"


@pytest.mark.parametrize(
    "path",
    [
        "acme-pack/nope.js",
        "acme-pack/lib",
        "acme-pack/",
        "acme-pack/../secret.js",
        "acme-pack/%2e%2e/secret.js",
        "acme-pack/..%2fsecret.js",
        "acme-pack/..%5csecret.js",
        "acme-pack/%2fetc%2fpasswd",
        "acme-pack/a%00.js",
        "acme-pack/.env",
        "acme-pack/.git/hook.js",
        "acme-pack/lib/./.././../.env",
        "acme-pack/" + "a" * 5000,
        "acme-pack/" + "a/" * 3000,
        "acme-pack/%ff%fe.js",
        "plain/acme.js",
        "broken/acme.js",
        "gone/acme.js",
        "nobody/acme.js",
        "%2e%2e/acme.js",
    ],
)
async def test_what_a_pack_does_not_show_is_not_found(http, path):
    reply = await http.get(f"/extensions/{path}")
    assert reply.status_code == 404
    assert reply.json()["error"]["type"] == "not_found"
    assert "secret" not in reply.text.replace("secret.js", "")


async def test_links_that_leave_the_web_folder_are_not_followed(http, acme, tmp_path):
    folder = Path(acme.web_directory)
    (folder / "out.js").symlink_to(folder.parent / "secret.js")
    (folder / "outside").symlink_to(folder.parent)
    (folder / "circle").symlink_to(folder)
    (folder / "same.js").symlink_to("acme.js")
    (folder / "broken.js").symlink_to("nowhere.js")
    listed = (await http.get("/extensions")).json()
    assert "/extensions/acme-pack/same.js" in listed
    assert not [address for address in listed if "out" in address or "circle" in address or "broken" in address]
    assert (await http.get("/extensions/acme-pack/same.js")).text == FILES["acme.js"]
    for path in ("out.js", "outside/secret.js", "broken.js"):
        assert (await http.get(f"/extensions/acme-pack/{path}")).status_code == 404


@pytest.mark.skipif(os.name != "posix", reason="names are bytes")
async def test_a_script_whose_name_is_no_text_is_left_out(http, acme):
    write(Path(acme.web_directory), {os.fsdecode(b"caf\xe9.js"): ""})
    listed = (await http.get("/extensions")).json()
    assert not [address for address in listed if "caf" in address]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_scripts_cannot_be_written(http, method):
    for path in ("/extensions", "/extensions/acme-pack/acme.js"):
        assert (await http.request(method, path, content=b"x")).status_code == 405


async def test_system_stats_tells_what_became_of_the_packs(http):
    packs = (await http.get("/system_stats")).json()["system"]["custom_nodes"]
    assert [pack["name"] for pack in packs] == ["acme-pack", "broken", "gone", "plain", "ö & co"]
    assert packs[0] == {"name": "acme-pack", "classes": 1, "import_seconds": 0.25, "error": None, "warnings": []}
    assert packs[1]["error"] == "ImportError: no acme"
    assert packs[2]["warnings"] == ["one class"]


async def test_a_pack_may_serve_its_scripts_by_a_route(tmp_path, acme):
    async def script(request):
        return web.Response(text="by a route", content_type="text/javascript")

    prompt_server = PromptServer()
    prompt_server.routes.get("/extensions/acme-pack/{name}")(script)
    async with pack_server(tmp_path, prompt_server) as server:
        server.worker.packs = [acme]
        assert (await server.http.get("/extensions/acme-pack/acme.js")).text == FILES["acme.js"]
        assert (await server.http.get("/extensions/acme-pack/other.js")).text == "by a route"
        missing = await server.http.get("/extensions/other/other.js")
        assert missing.json()["error"]["message"] == "The pack 'other' has no file 'other.js' to show"
