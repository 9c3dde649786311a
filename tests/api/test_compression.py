"""`--enable-compress-response-body`."""

import gzip
import json

import httpx
import pytest
from PIL import Image
from starlette.responses import Response, StreamingResponse

from inglenook.api.boundary import IS_HEAD
from inglenook.api.compression import Compressed, accepts_gzip
from tests.api.idle import NeverReady
from tests.api.packs import serving

TEXT = "a line of text\n" * 4000


async def answer(response, *, accepts="gzip", scope=()):
    compressed = Compressed(response)

    async def app(own, receive, send):
        await compressed({**own, **dict(scope)}, receive, send)

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        async with client.stream("GET", "/", headers={"Accept-Encoding": accepts}) as got:
            raw = b"".join([part async for part in got.aiter_raw()])
        return got, raw


def parts(*texts):
    async def generate():
        for text in texts:
            yield text

    return generate()


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", "application/json; charset=utf-8"])
@pytest.mark.parametrize("text", ["{}", TEXT])
async def test_json_and_text_are_compressed(media_type, text):
    got, raw = await answer(Response(text, media_type=media_type))
    assert got.headers["content-encoding"] == "gzip"
    assert got.headers["content-length"] == str(len(raw))
    assert got.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(raw).decode() == text


async def test_parts_of_known_length_are_compressed_one_by_one():
    response = StreamingResponse(parts("[", TEXT, "]"), media_type="application/json")
    response.headers["content-length"] = str(len(TEXT) + 2)
    got, raw = await answer(response)
    assert "content-length" not in got.headers
    assert gzip.decompress(raw).decode() == f"[{TEXT}]"


@pytest.mark.parametrize(
    "response",
    [
        Response(TEXT, media_type="image/png"),
        Response(TEXT, media_type="text/html"),
        Response(TEXT, media_type="text/event-stream"),
        Response(gzip.compress(TEXT.encode()), media_type="application/json", headers={"Content-Encoding": "gzip"}),
        Response(TEXT[:10], 206, {"Content-Range": "bytes 0-9/100"}, "text/plain"),
        Response("", media_type="text/plain"),
        Response(status_code=304, headers={"ETag": '"x"', "Content-Type": "text/plain"}),
    ],
    ids=["picture", "page", "events", "encoded", "range", "empty", "unchanged"],
)
async def test_the_rest_is_left_as_it_is(response):
    got, raw = await answer(response)
    assert raw == response.body
    assert got.headers.get("content-encoding") == response.headers.get("content-encoding")
    assert got.headers.get("etag") == response.headers.get("etag")


async def test_what_has_no_known_end_is_not_held_back():
    got, raw = await answer(StreamingResponse(parts("{}\n", "{}\n"), media_type="application/json"))
    assert raw == b"{}\n{}\n"
    assert "content-encoding" not in got.headers


async def test_the_answer_to_head_is_left_as_it_is():
    got, _ = await answer(Response(TEXT, media_type="text/plain"), scope={IS_HEAD: True})
    assert got.headers["content-length"] == str(len(TEXT))


async def test_a_client_that_does_not_accept_it_gets_it_plain_and_caches_are_told():
    response = Response(TEXT, media_type="text/plain", headers={"Vary": "Origin"})
    got, raw = await answer(response, accepts="br")
    assert raw.decode() == TEXT
    assert got.headers["vary"] == "Origin, Accept-Encoding"


async def test_a_tag_says_that_the_bytes_differ():
    response = Response(TEXT, media_type="text/plain", headers={"ETag": '"x"', "Accept-Ranges": "bytes"})
    got, _ = await answer(response)
    assert got.headers["etag"] == 'W/"x"'
    assert "accept-ranges" not in got.headers


@pytest.mark.parametrize(
    ("header", "accepts"),
    [
        (b"gzip", True),
        (b"deflate, gzip;q=1.0, *;q=0.5", True),
        (b"br, *", True),
        (b"GZIP ; q=0.1", True),
        (b"gzip;q=0", False),
        (b"gzip; q=0.000", False),
        (b"br", False),
        (b"", False),
    ],
)
def test_what_a_client_accepts(header, accepts):
    assert accepts_gzip(header) is accepts


async def test_a_server_with_the_option_compresses(tmp_path):
    (tmp_path / "output").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "output" / "a.png")
    async with serving(tmp_path, NeverReady(), compress_responses=True) as server:
        for path in ("/prompt", "/api/queue", "/history", "/system_stats", "/object_info"):
            got = await server.http.get(path)
            assert got.headers["content-encoding"] == "gzip", path
            json.loads(got.content)
        assert "content-encoding" not in (await server.http.get("/view?filename=a.png")).headers
        plain = await server.http.get("/prompt", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
