"""`/api/image/{filename}` and its like."""

import io
import os

import httpx
import pytest
from PIL import Image

from inglenook.api.app import create_app
from tests.api.idle import idle_services


def picture(path, color, size=(64, 32), when=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)
    if when is not None:
        os.utime(path, (when, when))


def color_of(reply):
    assert reply.status_code == 200, reply.text
    with Image.open(io.BytesIO(reply.content)) as image:
        return image.convert("RGB").getpixel((0, 0))


@pytest.fixture
async def files(tmp_path):
    async with idle_services(tmp_path) as services:
        services.folders.create()
        transport = httpx.ASGITransport(create_app(services))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield http, services.folders


async def test_a_result_is_found_by_its_name(files):
    http, folders = files
    picture(folders.output / "a.png", "red")
    picture(folders.temp / "a.png", "blue")
    picture(folders.temp / "b.png", "blue")
    picture(folders.input / "b.png", "green")
    picture(folders.input / "c.png", "green")
    assert color_of(await http.get("/api/image/a.png")) == (255, 0, 0)
    assert color_of(await http.get("/api/image/b.png")) == (0, 0, 255)
    assert color_of(await http.get("/api/image/c.png")) == (0, 128, 0)


async def test_of_several_in_folders_the_newest_is_sent_and_a_path_names_one(files):
    http, folders = files
    picture(folders.output / "x" / "a.png", "red", when=1000)
    picture(folders.output / "y" / "z" / "a.png", "blue", when=2000)
    assert color_of(await http.get("/api/image/a.png")) == (0, 0, 255)
    assert color_of(await http.get("/api/image/x/a.png")) == (255, 0, 0)


async def test_a_small_picture_keeps_its_shape(files):
    http, folders = files
    picture(folders.output / "a.png", "red", (640, 320))
    reply = await http.get("/api/image/a.png?size=64")
    assert reply.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(reply.content)) as image:
        assert image.size == (64, 32)


async def test_parts_of_a_sound_are_sent(files):
    http, folders = files
    (folders.output / "a.wav").write_bytes(b"0123456789")
    reply = await http.get("/api/audio/a.wav", headers={"Range": "bytes=2-4"})
    assert (reply.status_code, reply.content) == (206, b"234")
    assert reply.headers["content-range"] == "bytes 2-4/10"
    assert (await http.get("/api/audio/a.wav", headers={"Range": "bytes=90-"})).status_code == 416


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/image/none.png", 404),
        ("/api/image/a.txt", 404),
        ("/api/audio/a.png", 404),
        ("/api/video/a.png", 404),
        ("/api/image/..%2f..%2fsecret.png", 404),
        ("/api/image/%2e%2e/%2e%2e/secret.png", 404),
        ("/api/image/..%5c..%5csecret.png", 404),
        ("/api/image/%2fetc%2fpasswd.png", 404),
        ("/api/image/a%00.png", 404),
        ("/api/image/C%3a%5ca.png", 404),
        ("/api/image/" + "a" * 900 + ".png", 404),
        ("/api/image/" + "a" * 3000 + ".png", 422),
        ("/api/image/%ff%fe.png", 404),
        ("/api/image/.png", 404),
        ("/api/image/broken.png?size=64", 400),
        ("/api/image/a.png?size=5", 422),
        ("/api/image/a.png?size=99999", 422),
        ("/api/image/a.png?size=NaN", 422),
        ("/image/a.png", 404),
    ],
)
async def test_other_names_are_refused(files, tmp_path, path, status):
    http, folders = files
    picture(folders.output / "a.png", "red")
    (folders.output / "broken.png").write_bytes(b"no picture")
    picture(folders.output.parent.parent / "secret.png", "red")
    reply = await http.get(path)
    assert reply.status_code == status, reply.text
    assert set(reply.json()["error"]) == {"type", "message", "details"}


async def test_a_link_that_leads_out_is_not_followed(files, tmp_path):
    http, folders = files
    picture(tmp_path / "elsewhere" / "s.png", "red")
    (folders.output / "s.png").symlink_to(tmp_path / "elsewhere" / "s.png")
    assert (await http.get("/api/image/s.png")).status_code == 404
