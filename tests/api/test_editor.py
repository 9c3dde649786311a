"""A front end and what belongs to it, as far as no browser is needed; `tests/editor` has the rest."""

import gzip
import json
import re

import httpx
import pytest
from starlette.websockets import WebSocketClose
from websockets.asyncio.client import connect

from inglenook.api.editor import packages
from inglenook.api.editor.prefix import UnderEditor
from inglenook.errors import SettingsError
from tests.api.idle import NeverReady, idle_server
from tests.api.packs import serving

is_installed = packages.editor_folder() is not None
needs_editor = pytest.mark.skipif(not is_installed, reason="the extra `editor` is not installed")

FILES = {
    "index.html": "<!doctype html><title>built</title>",
    "assets/app.js": "export const app = 1;\n" * 200,
    "assets/style.css": "a {}",
    "assets/index.data.json": "{}",
    "assets/logo.png": "picture",
    "fonts/inter.woff2": "font",
    "scripts/app.js": "export {};",
    "extensions/core/own.js": "own;",
    ".env": "SECRET=1",
    ".git/config": "secret",
}


@pytest.fixture
def build(tmp_path):
    """The folder of a built front end, with a secret beside it."""
    folder = tmp_path / "build"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "assets" / "out.txt").symlink_to(tmp_path / "secret.txt")
    return folder


@pytest.fixture
async def http(tmp_path, build):
    async with idle_server(tmp_path / "base", front_end_root=build) as server:
        yield server.http


@pytest.fixture(autouse=True)
def base(tmp_path):
    (tmp_path / "base").mkdir()
    return tmp_path / "base"


@pytest.fixture
def no_packages(monkeypatch):
    for name in ("editor_folder", "docs_folder"):
        monkeypatch.setattr(packages, name, lambda: None)
    monkeypatch.setattr(packages, "template_folders", lambda: ())


@pytest.mark.parametrize("path", ["/", "/editor/", "/index.html", "/editor/index.html"])
async def test_the_start_page_is_never_kept_by_a_browser(http, path):
    reply = await http.get(path)
    assert (reply.status_code, reply.text) == (200, FILES["index.html"])
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    kept = {name: reply.headers[name] for name in ("cache-control", "pragma", "expires")}
    assert kept == {"cache-control": "no-store, must-revalidate", "pragma": "no-cache", "expires": "0"}
    assert (await http.head(path)).status_code == 200


@pytest.mark.parametrize("prefix", ["", "/editor"])
@pytest.mark.parametrize(
    ("path", "media_type", "cache"),
    [
        ("assets/app.js", "text/javascript; charset=utf-8", "no-cache"),
        ("assets/style.css", "text/css; charset=utf-8", "no-cache"),
        ("assets/index.data.json", "application/json; charset=utf-8", "no-cache"),
        ("assets/logo.png", "image/png", "public, max-age=86400"),
        ("fonts/inter.woff2", "font/woff2", None),
        ("scripts/app.js", "text/javascript; charset=utf-8", "no-cache"),
        ("extensions/core/own.js", "text/javascript; charset=utf-8", "no-cache"),
    ],
)
async def test_its_files_are_sent_as_what_they_are(http, prefix, path, media_type, cache):
    reply = await http.get(f"{prefix}/{path}")
    assert (reply.status_code, reply.text) == (200, FILES[path])
    assert (reply.headers["content-type"], reply.headers.get("cache-control")) == (media_type, cache)
    again = await http.get(f"{prefix}/{path}", headers={"If-None-Match": reply.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("prefix", ["", "/editor"])
@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "assets/../../secret.txt",
        "assets/..%5c..%5csecret.txt",
        "assets/%252e%252e/secret.txt",
        "/etc/passwd",
        "//etc/passwd",
        "%2fetc%2fpasswd",
        "assets/out.txt",
        "assets/out.txt%00.js",
        ".env",
        ".git/config",
        "assets",
        "assets/",
        "assets/app.js/",
        "nothing.js",
        "x" * 3000,
        "%ff%fe",
    ],
)
async def test_nothing_else_can_be_had(http, prefix, path):
    reply = await http.get(httpx.URL(f"http://127.0.0.1{prefix}/").copy_with(raw_path=f"{prefix}/{path}".encode()))
    assert reply.status_code == 404 or reply.text == FILES["assets/app.js"]
    assert "secret" not in reply.text.lower().replace("secret.txt", "")


async def test_texts_are_sent_as_gzip_to_those_who_accept_it(http):
    packed = await http.get("/assets/app.js", headers={"Accept-Encoding": "gzip, br"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert packed.text == FILES["assets/app.js"]
    plain = await http.get("/assets/app.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["etag"] != packed.headers["etag"]
    part = await http.get("/assets/app.js", headers={"Range": "bytes=0-5"})
    assert (part.status_code, part.text) == (206, "export")


async def test_a_file_that_was_built_again_is_sent_anew(http, build):
    before = await http.get("/assets/app.js")
    (build / "assets" / "app.js").write_text("changed();\n" * 300)
    after = await http.get("/assets/app.js", headers={"If-None-Match": before.headers["etag"]})
    assert (after.status_code, after.text) == (200, "changed();\n" * 300)


async def test_the_api_is_there_below_the_editor_too(http):
    for path in ("/prompt", "/api/queue", "/api/system_stats", "/object_info/KSampler"):
        ours, theirs = await http.get(path), await http.get(f"/editor{path}")
        assert (theirs.status_code, theirs.json().keys()) == (200, ours.json().keys())
    refused = await http.post("/editor/api/prompt", content="{}")
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "no_prompt")


async def test_other_origins_are_refused_below_the_editor_too(http):
    reply = await http.get("/editor/api/queue", headers={"Origin": "http://elsewhere.example"})
    assert reply.status_code == 403


async def test_the_address_without_its_slash_leads_to_the_editor(http):
    reply = await http.get("/editor?template=a")
    assert (reply.status_code, reply.headers["location"]) == (307, "editor/?template=a")
    assert (await http.get("/editor", follow_redirects=True)).text == FILES["index.html"]


async def test_unknown_paths_are_still_not_found(http):
    for path in ("/nothing", "/editor/nothing", "/editor/editor/", "/editorial"):
        assert (await http.get(path)).status_code == 404
    assert (await http.post("/nothing")).status_code == 405
    assert (await http.post("/assets/app.js")).status_code == 405


async def test_the_scripts_of_the_front_end_are_listed_before_those_of_packs(http):
    assert (await http.get("/extensions")).json() == ["/extensions/core/own.js"]


async def test_a_style_sheet_of_the_user_is_used(http, base):
    empty = await http.get("/user.css")
    assert (empty.status_code, empty.text, empty.headers["content-type"]) == (200, "", "text/css; charset=utf-8")
    (base / "user" / "default").mkdir(parents=True)
    (base / "user" / "default" / "user.css").write_text("body { color: red }")
    for path in ("/user.css", "/editor/user.css"):
        reply = await http.get(path)
        assert (reply.text, reply.headers["cache-control"]) == ("body { color: red }", "no-cache")


@pytest.mark.parametrize("front_end", ["console", "none", "editor"])
async def test_without_a_front_end_the_page_says_how_to_get_one(base, no_packages, front_end):
    async with idle_server(base, front_end=front_end) as server:
        reply = await server.http.get("/editor/")
        assert reply.status_code == 404
        assert 'pip install "inglenook[editor]"' in reply.text
        assert reply.headers["content-type"].startswith("text/html")
        root = await server.http.get("/")
        assert (root.text == reply.text) is (front_end == "editor")
        for path in ("/assets/app.js", "/editor/scripts/app.js", "/templates/index.json", "/docs/KSampler/en.md"):
            assert (await server.http.get(path)).status_code == 404
        assert (await server.http.get("/extensions")).json() == []
        assert (await server.http.get("/editor/api/queue")).status_code == 200


async def test_a_folder_without_a_page_is_refused(base):
    with pytest.raises(SettingsError, match=r"has no index\.html"):
        async with idle_server(base, front_end_root=base):
            pass


@pytest.mark.parametrize("front_end", ["console", "none"])
async def test_the_editor_leaves_the_start_page_alone_unless_asked(base, front_end):
    async with idle_server(base, front_end=front_end) as server:
        page = await server.http.get("/", headers={"Accept-Language": "zh-CN"})
        assert page.headers["content-type"].startswith("text/html")
        assert 'href="editor/"' in page.text
        assert "编辑器" in page.text
        for address in re.findall('href="([^"]*)"', page.text):
            assert (await server.http.get(f"/{address}")).status_code == 200


@needs_editor
async def test_the_packaged_editor_is_served(base):
    async with idle_server(base, front_end="editor") as server:
        page = await server.http.get("/")
        assert "<title>ComfyUI</title>" in page.text
        assert (await server.http.get("/editor/")).text == page.text
        script = page.text.split('src="./assets/')[1].split('"')[0]
        assert (await server.http.get(f"/editor/assets/{script}")).status_code == 200
        assert "/extensions/core/editAttention.js" in (await server.http.get("/extensions")).json()


@pytest.mark.skipif(not packages.template_folders(), reason="the template packages are not installed")
async def test_templates_are_served_with_their_index(base):
    async with idle_server(base) as server:
        index = await server.http.get("/templates/index.json")
        assert index.headers["cache-control"] == "no-cache"
        names = [entry["name"] for group in index.json() for entry in group["templates"]]
        template = await server.http.get(f"/templates/{names[0]}.json")
        assert {"nodes", "links"} <= template.json().keys()
        assert (await server.http.get("/templates/index.zh.json")).status_code == 200
        assert (await server.http.get("/templates/../__init__.py")).status_code == 404
        missing = await server.http.get("/templates/none.webp")
        assert (missing.status_code, missing.headers["cache-control"]) == (404, "public, max-age=3600")
        for name in ("none-1.webp", f"{names[0]}-9.mp4", f"{names[0]}.webp", f"x%2f..%2f..%2f{names[0]}-9.webp"):
            assert (await server.http.get(f"/templates/{name}")).status_code == 404
        for prefix in ("/templates", "/editor/templates"):
            instead = await server.http.get(f"{prefix}/{names[0]}-9.webp")  # none has so many
            logo = next(iter((await server.http.get("/templates/index_logo.json")).json().values()))
            assert (await server.http.get(f"{prefix}/{logo}")).status_code == 200
            assert (instead.status_code, instead.headers["content-type"]) == (200, "image/svg+xml")
            assert instead.headers["cache-control"] == "no-cache"
            assert instead.text.startswith("<svg ")


@pytest.mark.skipif(packages.docs_folder() is None, reason="the help package is not installed")
async def test_help_for_nodes_lies_beside_the_page_of_the_api(base):
    async with idle_server(base) as server:
        for path in ("/docs/KSampler/en.md", "/editor/docs/KSampler/zh.md"):
            reply = await server.http.get(path)
            assert (reply.status_code, reply.headers["content-type"]) == (200, "text/markdown; charset=utf-8")
        assert (await server.http.get("/docs/NoSuchNode/en.md")).status_code == 404
        assert (await server.http.get("/docs/..%2f../__init__.py")).status_code == 404
        assert "swagger" in (await server.http.get("/docs")).text


async def test_sockets_are_there_below_the_editor_too(base, build):
    async with serving(base, NeverReady(), front_end_root=build) as server:
        async with connect(f"ws://127.0.0.1:{server.port}/editor/ws?clientId=a", open_timeout=60) as socket:
            assert json.loads(await socket.recv())["data"]["sid"] == "a"
        packed = await server.http.get("/editor/assets/app.js", headers={"Accept-Encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) < len(gzip.compress(packed.content)) + 100


@pytest.mark.parametrize(
    ("scope", "path", "raw"),
    [
        ({"path": "/editor/api/a b", "raw_path": b"/editor/api/a%20b"}, "/api/a b", b"/api/a%20b"),
        ({"path": "/editor/", "raw_path": b"/editor/"}, "/", b"/"),
        ({"path": "/editor/editor/", "raw_path": b"/editor/editor/"}, "/editor/", b"/editor/"),
        ({"path": "/editors/x", "raw_path": b"/editors/x"}, "/editors/x", b"/editors/x"),
        ({"path": "/editor/x", "raw_path": b"/%65ditor/x"}, "/editor/x", b"/%65ditor/x"),
    ],
)
async def test_only_the_prefix_is_taken_off(scope, path, raw):
    seen = {}

    async def app(scope, receive, send):
        seen.update(scope)
        await WebSocketClose()(scope, receive, send)

    async def ignore(message):
        pass

    await UnderEditor(app)({"type": "websocket", **scope}, None, ignore)
    assert (seen["path"], seen["raw_path"]) == (path, raw)


async def test_a_page_may_link_the_users_style_sheet_before_there_is_one(http):
    as_style = {"Sec-Fetch-Dest": "style"}
    linked = await http.get("/api/userdata/user.css", headers=as_style)
    assert (linked.status_code, linked.text, linked.headers["content-type"]) == (200, "", "text/css; charset=utf-8")
    assert (await http.get("/api/userdata/user.css")).status_code == 404
    assert (await http.get("/api/userdata/other.css", headers=as_style)).status_code == 404
