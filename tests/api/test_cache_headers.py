"""How long browsers keep answers: ComfyUI's rules by the path, for answers that do not say it themselves."""

import httpx
import pytest

from inglenook.api.cache_headers import CacheHeaders

DAY, HOUR = "public, max-age=86400", "public, max-age=3600"


async def header(path, status=200, own=None, method="GET"):
    async def app(scope, receive, send):
        headers = [] if own is None else [(b"Cache-Control", own.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    transport = httpx.ASGITransport(CacheHeaders(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return (await client.request(method, path)).headers


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("/extensions/a/b.js", 200, "no-cache"),
        ("/x.css", 404, "no-cache"),
        ("/templates/index.json", 200, "no-cache"),
        ("/templates/index.zh.json", 200, "no-cache"),
        ("/templates/other.json", 200, None),
        *((f"/a/b.{end}", 200, DAY) for end in ["jpg", "jpeg", "PNG", "ppm", "bmp", "pgm", "tif", "tiff", "webp"]),
        ("/a.png", 206, DAY),
        ("/a.png", 301, DAY),
        ("/a.png", 308, DAY),
        ("/a.png", 404, HOUR),
        ("/a.png", 302, "no-cache"),
        ("/a.png", 307, "no-cache"),
        ("/a.png", 304, None),
        ("/a.png", 403, None),
        ("/a.png", 500, None),
        ("/view?filename=a.png", 200, None),
        ("/queue", 200, None),
        ("/a.png/b", 200, None),
        ("/api/userdata/a.png", 404, None),
        ("/view_metadata/output/a.png", 200, None),
        ("/api/outputs/a.png", 404, None),
    ],
)  # fmt: skip
async def test_rules_by_path_and_status(path, status, expected):
    assert (await header(path, status)).get("cache-control") == expected


async def test_the_page_itself_is_kept_nowhere():
    headers = await header("/")
    assert "no-store" in headers["cache-control"]
    assert (headers["pragma"], headers["expires"]) == ("no-cache", "0")


async def test_an_answer_that_says_it_itself_is_left_alone():
    headers = await header("/a.png", own="private")
    assert headers.get_list("cache-control") == ["private"]


async def test_only_what_is_read_can_be_kept():
    assert "cache-control" not in await header("/a.png", method="DELETE")
    assert "cache-control" in await header("/a.png", method="HEAD")


async def test_the_whole_server_follows_them(idle):
    assert (await idle.http.get("/nowhere.png")).headers["cache-control"] == HOUR
    assert "no-store" in (await idle.http.get("/")).headers["cache-control"]
    assert "cache-control" not in (await idle.http.get("/queue")).headers
