"""The workflow inside files, and metadata of models; files that are made to harm end in a clear error."""

import asyncio
import io
import json
import os
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import httpx
import numpy as np
import pytest

from inglenook.api.media_reader import MediaReader
from inglenook.errors import MediaError
from inglenook.media import audio, metadata, png, video_encoding
from inglenook.media.folders import Folders
from tests.api.comfy.test_files import clear_error, decoded, picture

Client = httpx.AsyncClient

TEXT = {"prompt": '{"1": {"class_type": "A"}}', "workflow": '{"nodes": []}'}
SHOWN = {"prompt": {"1": {"class_type": "A"}}, "workflow": '{"nodes": []}'}


class TestViewMetadata:
    @pytest.fixture(autouse=True)
    def _files(self, folders: Folders) -> None:
        (folders.output / "sub").mkdir()
        data = png.encode(np.zeros((2, 2, 3), np.uint8), text=TEXT)
        (folders.output / "a.png").write_bytes(data)
        (folders.output / "sub" / "b.png").write_bytes(data)
        (folders.output / "plain.png").write_bytes(picture())
        (folders.output / "broken.png").write_bytes(png.encode(np.zeros((2, 2, 3), np.uint8), text={"prompt": "{"}))
        loras = folders.models["loras"].paths[0]
        header = json.dumps({"__metadata__": {"ss_base": "x"}, "w": {}}).encode()
        for name, content in (
            ("a.safetensors", len(header).to_bytes(8, "little") + header),
            ("none.safetensors", (2).to_bytes(8, "little") + b"{}"),
            ("list.safetensors", (2).to_bytes(8, "little") + b"[]"),
            ("damaged.safetensors", (9).to_bytes(8, "little") + b"garbage!!"),
            ("short.safetensors", b"\x05"),
            ("huge.safetensors", b"\xff" * 20),
            ("a.ckpt", b"x"),
        ):
            (loras / name).write_bytes(content)

    @pytest.mark.parametrize("path", ["output/a.png", "outputs/a.png", "output/sub/b.png", "output?filename=a.png"])
    async def test_the_workflow_inside_a_picture(self, client: Client, path: str) -> None:
        response = await client.get(f"/view_metadata/{path}")
        assert response.json() == SHOWN

    @pytest.mark.parametrize(
        "path",
        [
            "output/nope.png",
            "output/plain.png",
            "output/sub",
            "output/broken.png",
            "output/..%2fsecret.png",
            "output/%2e%2e/%2e%2e/etc/passwd",
            "output/%2Fetc%2Fpasswd",
            "output/a%00.png",
            "secrets/a.png",
            "output",
            "loras",
            "loras?filename=",
            "loras?filename=nope.safetensors",
            "loras?filename=a.ckpt",
            "loras?filename=../../output/a.safetensors",
            "loras?filename=none.safetensors",
            "loras?filename=list.safetensors",
            "loras?filename=damaged.safetensors",
            "loras?filename=short.safetensors",
            "loras?filename=huge.safetensors",
            "nothing?filename=a.safetensors",
        ],
    )
    async def test_clear_errors(self, client: Client, path: str) -> None:
        clear_error(await client.get(f"/api/view_metadata/{path}"), *([404] if "output/" not in path else [400, 404]))

    async def test_safetensors_metadata(self, client: Client) -> None:
        assert (await client.get("/view_metadata/loras?filename=a.safetensors")).json() == {"ss_base": "x"}

    @pytest.mark.parametrize("name", ["a.webp", "a.jpg"])
    async def test_the_workflow_in_the_exif_data(self, client: Client, folders: Folders, name: str) -> None:
        form = "WEBP" if name.endswith("webp") else "JPEG"
        (folders.input / name).write_bytes(picture(image_format=form, exif=metadata.exif(TEXT).tobytes()))
        assert (await client.get(f"/view_metadata/inputs/{name}")).json() == SHOWN

    async def test_numbers_that_json_does_not_have_are_none(self, client: Client, folders: Folders) -> None:
        data = png.encode(np.zeros((2, 2, 3), np.uint8), text={"prompt": '{"1": {"is_changed": [NaN, -Infinity]}}'})
        (folders.output / "nan.png").write_bytes(data)
        response = await client.get("/view_metadata/output/nan.png")
        assert response.json() == {"prompt": {"1": {"is_changed": [None, None]}}}

    @pytest.mark.parametrize(
        "prompt", ["[" * 100_000, "[" * 900 + "]" * 900, '{"a": ' + "9" * 400 + "}", '{"a": "\\ud800"}', "", "5 5"]
    )
    async def test_hostile_workflows_in_a_picture(self, client: Client, folders: Folders, prompt: str) -> None:
        data = png.encode(np.zeros((2, 2, 3), np.uint8), text={"prompt": prompt})
        (folders.output / "hostile.png").write_bytes(data)
        clear_error(await client.get("/view_metadata/output/hostile.png"), 400)

    async def test_a_bomb_of_text_is_left_out(self, client: Client, folders: Folders) -> None:
        chunks = [chunk(b"zTXt", b"k%d\0\0" % number + BOMB) for number in range(40)]
        (folders.output / "bomb.png").write_bytes(with_chunks(*chunks, chunk(b"tEXt", b'prompt\0{"1": {}}')))
        found = (await client.get("/view_metadata/output/bomb.png")).json()
        assert found.pop("prompt") == {"1": {}}
        assert sum(map(len, found.values())) <= 64 << 20

    async def test_a_cut_off_picture_gives_what_it_still_has(self, client: Client, folders: Folders) -> None:
        data = with_chunks(chunk(b"tEXt", b'prompt\0{"1": {}}'), chunk(b"zTXt", b"workflow\0\0garbage"))
        (folders.output / "cut.png").write_bytes(data[:-40])
        assert (await client.get("/view_metadata/output/cut.png")).json() == {"prompt": {"1": {}}}


BOMB = zlib.compress(bytes(30 << 20), 9)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunks(*chunks: bytes) -> bytes:
    plain = picture()
    return plain[:33] + b"".join(chunks) + plain[33:]


def clip(form: video_encoding.VideoFormat = video_encoding.H264, text: dict[str, str] = TEXT) -> bytes:
    buffer = io.BytesIO()
    frames = [np.full((16, 32, 3), (200, 0, 0), np.uint8)] * 3
    video_encoding.encode(buffer, frames, Fraction(5), form, text=text)
    return buffer.getvalue()


def sound(form: str) -> bytes:
    buffer = io.BytesIO()
    audio.encode(buffer, np.zeros((1, 48000), np.float32), 48000, form, text=TEXT)
    return buffer.getvalue()


PLAY_LIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"


class TestSoundAndVideo:
    @pytest.mark.parametrize("form", [video_encoding.H264, video_encoding.VP9, video_encoding.FFV1])
    async def test_the_workflow_in_a_video(
        self, client: Client, folders: Folders, form: video_encoding.VideoFormat
    ) -> None:
        (folders.output / f"a.{form.extension}").write_bytes(clip(form))
        found = (await client.get(f"/view_metadata/outputs/a.{form.extension}")).json()
        assert {name: found[name] for name in SHOWN} == SHOWN

    @pytest.mark.parametrize("form", ["flac", "mp3", "opus"])
    async def test_the_workflow_in_a_sound(self, client: Client, folders: Folders, form: str) -> None:
        (folders.output / f"a.{form}").write_bytes(sound(form))
        found = (await client.get(f"/view_metadata/output/a.{form}")).json()
        assert {name: found[name] for name in SHOWN} == SHOWN

    async def test_the_workflow_in_the_comment_of_video_combine(self, client: Client, folders: Folders) -> None:
        comment = json.dumps({"prompt": json.dumps(SHOWN["prompt"]), "workflow": {"nodes": []}})
        (folders.output / "vhs.mp4").write_bytes(clip(text={"comment": comment}))
        found = (await client.get("/view_metadata/output/vhs.mp4")).json()
        assert {name: found[name] for name in SHOWN} == SHOWN

    async def test_the_first_picture_of_a_video(self, client: Client, folders: Folders) -> None:
        (folders.output / "a.mp4").write_bytes(clip())
        for query, form in (("preview=webp;80", "WEBP"), ("preview=jpeg", "JPEG"), ("channel=rgb", "PNG")):
            image = decoded(await client.get(f"/view?filename=a.mp4&{query}"))
            assert (image.format, image.size) == (form, (32, 16))
            assert image.convert("RGB").getpixel((3, 3)) == pytest.approx((200, 0, 0), abs=12)

    async def test_a_video_is_sent_in_ranges(self, client: Client, folders: Folders) -> None:
        data = clip()
        (folders.output / "a.mp4").write_bytes(data)
        response = await client.get("/view?filename=a.mp4", headers={"Range": "bytes=10-"})
        assert (response.status_code, response.content) == (206, data[10:])
        assert response.headers["content-type"] == "video/mp4"

    @pytest.mark.parametrize("data", [b"", b"no video", PLAY_LIST, clip()[:200], clip()[:-300], sound("flac")])
    async def test_damaged_and_hostile_files(self, client: Client, folders: Folders, data: bytes) -> None:
        (folders.output / "a.mp4").write_bytes(data)
        clear_error(await client.get("/view?filename=a.mp4&preview=webp"), 400)
        if data != sound("flac"):
            clear_error(await client.get("/view_metadata/output/a.mp4"), 400)

    async def test_what_is_not_there(self, client: Client, folders: Folders) -> None:
        (folders.output / "folder.mp4").mkdir()
        for name in ("nope.mp4", "folder.mp4"):
            clear_error(await client.get(f"/view?filename={name}&preview=webp"), 404)
            clear_error(await client.get(f"/view_metadata/output/{name}"), 404)

    async def test_a_video_over_the_limit_of_pixels(self, client: Client, folders: Folders) -> None:
        buffer = io.BytesIO()
        frames = [np.zeros((1200, 1000, 3), np.uint8)]
        video_encoding.encode(buffer, frames, Fraction(5), text={})
        (folders.output / "large.mp4").write_bytes(buffer.getvalue())
        response = await client.get("/view?filename=large.mp4&preview=webp")
        clear_error(response, 400)
        assert "1 megapixels" in response.json()["error"]["message"]


class TestReader:
    """The process that reads media files is lost, not the server."""

    @pytest.fixture
    def video(self, tmp_path: Path) -> Path:
        path = tmp_path / "a.mp4"
        path.write_bytes(clip())
        return path

    async def test_a_reader_that_died_is_replaced(self, media_reader: MediaReader, video: Path) -> None:
        await media_reader.tags(video)
        assert media_reader._process is not None
        media_reader._process.kill()
        await media_reader._process.wait()
        assert (await media_reader.tags(video))["workflow"] == TEXT["workflow"]

    async def test_a_file_that_never_ends_is_given_up(self, video: Path, tmp_path: Path) -> None:
        reader = MediaReader()
        await reader.tags(video)
        assert reader._process is not None
        os.kill(reader._process.pid, 19)  # SIGSTOP: it hears no alarm either
        try:
            reader._limit_s = 1
            with pytest.raises(MediaError, match="longer than 1 s"):
                await reader.tags(video)
            reader._limit_s = 60
            assert (await reader.tags(video))["workflow"] == TEXT["workflow"]
        finally:
            await reader.close()

    async def test_a_question_that_is_given_up_spoils_no_other(self, media_reader: MediaReader, video: Path) -> None:
        await media_reader.tags(video)
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(media_reader.poster(video, 10**6))
            await asyncio.sleep(0)
            asked.cancel()
        assert (await media_reader.tags(video))["workflow"] == TEXT["workflow"]
