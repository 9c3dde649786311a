"""Uploads and downloads in ComfyUI's shapes; whatever is sent, no file outside the folders is read or written."""

import asyncio
import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from starlette.datastructures import Headers

from inglenook.api.boundary import IS_HEAD
from inglenook.api.comfy import file_response
from inglenook.media import png
from inglenook.media.folders import Folders

Client = httpx.AsyncClient


def picture(colour: Any = "red", size: tuple[int, int] = (8, 6), image_format: str = "PNG", **options: Any) -> bytes:
    mode = "RGBA" if isinstance(colour, tuple) and len(colour) == 4 else "RGB"
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, image_format, **options)
    return buffer.getvalue()


def decoded(response: httpx.Response) -> Image.Image:
    image = Image.open(io.BytesIO(response.content))
    image.load()
    return image


async def upload(
    client: Client, name: str = "a.png", data: bytes = b"data", path: str = "/upload/image", **fields: str
) -> httpx.Response:
    return await client.post(path, files={"image": (name, data)}, data=fields)


def clear_error(response: httpx.Response, *statuses: int) -> None:
    """The answer is one of these statuses with an error that says what is wrong."""
    assert response.status_code in statuses, (response.status_code, response.text)
    error = response.json()["error"]
    assert set(error) == {"type", "message", "details"}
    assert error["message"]


class TestUpload:
    async def test_stores_a_file_and_names_it(self, client: Client, folders: Folders) -> None:
        response = await upload(client, subfolder="x/y")
        assert response.json() == {"name": "a.png", "subfolder": "x/y", "type": "input"}
        assert (folders.input / "x" / "y" / "a.png").read_bytes() == b"data"

    async def test_under_api_too_and_for_each_type(self, client: Client, folders: Folders) -> None:
        for kind in ("input", "output", "temp"):
            response = await upload(client, path="/api/upload/image", type=kind)
            assert response.json()["type"] == kind
            assert (folders.directory(kind) / "a.png").is_file()

    async def test_fields_that_are_sent_empty_mean_the_usual(self, client: Client, folders: Folders) -> None:
        response = await upload(client, type="", subfolder="", overwrite="")
        assert response.json() == {"name": "a.png", "subfolder": "", "type": "input"}
        assert (folders.input / "a.png").is_file()

    async def test_equal_content_keeps_the_name_other_content_gets_a_number(
        self, client: Client, folders: Folders
    ) -> None:
        names = [(await upload(client, data=data)).json()["name"] for data in (b"one", b"one", b"two", b"six", b"two")]
        assert names == ["a.png", "a.png", "a (1).png", "a (2).png", "a (1).png"]
        assert sorted(path.name for path in folders.input.iterdir()) == ["a (1).png", "a (2).png", "a.png"]

    @pytest.mark.parametrize(("overwrite", "replaced"), [("true", True), ("1", True), ("True", True), ("false", False)])
    async def test_overwrite(self, client: Client, folders: Folders, overwrite: str, replaced: bool) -> None:
        await upload(client, data=b"old")
        response = await upload(client, data=b"new", overwrite=overwrite)
        assert response.json()["name"] == ("a.png" if replaced else "a (1).png")
        assert (folders.input / "a.png").read_bytes() == (b"new" if replaced else b"old")

    async def test_uploads_of_one_name_at_once_all_arrive(self, client: Client, folders: Folders) -> None:
        responses = await asyncio.gather(*(upload(client, data=str(number).encode()) for number in range(20)))
        stored = {
            response.json()["name"]: (folders.input / response.json()["name"]).read_bytes() for response in responses
        }
        assert sorted(stored.values(), key=int) == [str(number).encode() for number in range(20)]

    async def test_a_large_file_arrives_whole(self, client: Client, folders: Folders) -> None:
        data = bytes(range(256)) * 20_000
        await upload(client, data=data)
        assert (folders.input / "a.png").read_bytes() == data

    @pytest.mark.parametrize(
        ("sent", "stored"),
        [
            ("C:\\Users\\me\\x.png", "x.png"),
            ("dir/x.png", "x.png"),
            ("p%2Fq.png", "p%2Fq.png"),
            ("画 像.png", "画 像.png"),
        ],
    )
    async def test_client_folders_are_dropped_from_the_name(
        self, client: Client, folders: Folders, sent: str, stored: str
    ) -> None:
        assert (await upload(client, sent)).json()["name"] == stored
        assert (folders.input / stored).is_file()

    @pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "..\\x.png", "..", "x" * 300 + ".png"])
    async def test_hostile_names(self, client: Client, folders: Folders, name: str) -> None:
        clear_error(await upload(client, name), 400)
        assert not any(folders.input.iterdir())

    @pytest.mark.parametrize(
        "subfolder", ["..", "../output", "/etc", "a/../../b", "..\\x", "C:\\x", "a\x00b", "x" * 300]
    )
    async def test_hostile_subfolders(self, client: Client, folders: Folders, subfolder: str) -> None:
        clear_error(await upload(client, subfolder=subfolder), 400)
        assert not any(folders.input.iterdir())

    async def test_a_link_that_leaves_is_not_followed(self, client: Client, folders: Folders, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "a.png").write_bytes(b"secret")
        (folders.input / "link").symlink_to(tmp_path / "outside")
        (folders.input / "a.png").symlink_to(tmp_path / "outside" / "a.png")
        clear_error(await upload(client, subfolder="link"), 400)
        clear_error(await upload(client, overwrite="true"), 400)
        assert (tmp_path / "outside" / "a.png").read_bytes() == b"secret"

    async def test_no_form_no_file_no_name_no_type(self, client: Client) -> None:
        clear_error(await client.post("/upload/image"), 400)
        clear_error(await client.post("/upload/image", json={"image": "a"}), 400)
        clear_error(await client.post("/upload/image", data={"image": "text"}), 400)
        clear_error(await client.post("/upload/image", files={"other": ("a.png", b"x")}), 400)
        clear_error(await upload(client, type="models"), 400)
        clear_error(await client.post("/upload/image", files={"image": ("a", b"x"), "type": ("b", b"x")}), 400)

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # starlette leaves a file to Python
    @pytest.mark.parametrize(
        "content_type", ["multipart/form-data", "multipart/form-data; boundary=x", "multipart/form-data; boundary="]
    )
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"garbage",
            b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\nhalf a fi',
            b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n',
            b"--x\r\n\xff\xfe: \r\n\r\n",
            b'--x\r\nContent-Disposition: form-data; name="image"; filename=""\r\n\r\nx\r\n--x--\r\n',
        ],
    )
    async def test_broken_forms(self, client: Client, folders: Folders, content_type: str, body: bytes) -> None:
        response = await client.post("/upload/image", content=body, headers={"Content-Type": content_type})
        clear_error(response, 400)
        assert not any(folders.input.iterdir())

    async def test_a_full_disk_is_507(self, client: Client, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.write", full)
        response = await upload(client)
        monkeypatch.undo()
        clear_error(response, 507)
        assert not any(folders.input.iterdir())


class TestUploadMask:
    async def test_stores_the_original_with_the_masks_alpha(self, client: Client, folders: Folders) -> None:
        info = PngInfo()
        info.add_text("workflow", '{"nodes": []}')
        (folders.output / "sub").mkdir()
        (folders.output / "sub" / "base.png").write_bytes(picture("red", pnginfo=info))
        reference = json.dumps({"filename": "base.png", "subfolder": "sub"})
        response = await upload(
            client, "masked.png", picture((0, 0, 0, 128)), "/upload/mask", original_ref=reference, subfolder="clipspace"
        )
        assert response.json() == {"name": "masked.png", "subfolder": "clipspace", "type": "input"}
        path = folders.input / "clipspace" / "masked.png"
        with Image.open(path) as image:
            assert image.getpixel((0, 0)) == (255, 0, 0, 128)
        assert png.read_text(path) == {"workflow": '{"nodes": []}'}

    async def test_an_annotated_original_and_a_mask_of_another_size(self, client: Client, folders: Folders) -> None:
        (folders.input / "base.jpg").write_bytes(picture("blue", (40, 20), "JPEG"))
        reference = json.dumps({"filename": "base.jpg [input]"})
        await upload(client, "m.png", picture((0, 0, 0, 0), (10, 10)), "/upload/mask", original_ref=reference)
        with Image.open(folders.input / "m.png") as image:
            assert image.size == (40, 20)
            assert image.getchannel("A").getextrema() == (0, 0)

    async def test_without_a_reference_it_is_a_plain_upload(self, client: Client, folders: Folders) -> None:
        assert (await upload(client, data=b"any", path="/upload/mask")).json()["name"] == "a.png"
        assert (folders.input / "a.png").read_bytes() == b"any"

    async def test_a_missing_original_writes_nothing(self, client: Client, folders: Folders) -> None:
        response = await upload(client, data=picture(), path="/upload/mask", original_ref='{"filename": "no.png"}')
        assert response.status_code == 200
        assert not any(folders.input.iterdir())

    @pytest.mark.parametrize(
        "reference",
        [
            "",
            "{",
            "[]",
            "{}",
            '{"filename": 5}',
            '{"filename": "../base.png"}',
            '{"filename": "base.png", "subfolder": "../.."}',
            '{"filename": "base.png", "type": "models"}',
            '{"filename": "base.png", "subfolder": []}',
            "[" * 100_000,
        ],
    )
    async def test_bad_references(self, client: Client, folders: Folders, reference: str) -> None:
        response = await upload(client, data=picture(), path="/upload/mask", original_ref=reference)
        if response.status_code == 200:  # an empty list of `subfolder` counts as none
            assert json.loads(reference)["subfolder"] == []
        else:
            clear_error(response, 400)
        assert not any(folders.input.iterdir())

    @pytest.mark.parametrize("data", [b"", b"no picture", picture(size=(8, 6))[:50], picture(size=(2000, 2000))])
    async def test_a_mask_that_is_no_picture_or_too_large(self, client: Client, folders: Folders, data: bytes) -> None:
        (folders.output / "base.png").write_bytes(picture())
        clear_error(await upload(client, "m.png", data, "/upload/mask", original_ref='{"filename": "base.png"}'), 400)
        assert not any(folders.input.iterdir())


class TestView:
    @pytest.fixture(autouse=True)
    def _files(self, folders: Folders, tmp_path: Path) -> None:
        (folders.output / "a.png").write_bytes(picture((255, 0, 0, 128)))
        (folders.output / "data.bin").write_bytes(bytes(range(100)))
        (folders.input / "sub").mkdir()
        (folders.input / "sub" / "b.jpg").write_bytes(picture("blue", image_format="JPEG"))
        (folders.output / "画.txt").write_text("hello")
        (tmp_path / "secret.png").write_bytes(picture())
        (folders.output / "link.png").symlink_to(tmp_path / "secret.png")
        (folders.output / "broken.png").write_bytes(b"no picture")

    async def test_a_file_as_it_is(self, client: Client, folders: Folders) -> None:
        for prefix in ("", "/api"):
            response = await client.get(f"{prefix}/view", params={"filename": "a.png", "rand": "0.5"})
            assert response.status_code == 200
            assert response.content == (folders.output / "a.png").read_bytes()
            assert response.headers["content-type"] == "image/png"
            assert response.headers["content-disposition"] == 'filename="a.png"'
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["accept-ranges"] == "bytes"

    async def test_types_subfolders_and_annotations(self, client: Client) -> None:
        for params in (
            {"filename": "b.jpg", "type": "input", "subfolder": "sub"},
            {"filename": "b.jpg [input]", "subfolder": "sub"},
            {"filename": "any/b.jpg", "type": "input", "subfolder": "sub"},
        ):
            response = await client.get("/view", params=params)
            assert response.headers["content-type"] == "image/jpeg"
        for params in ({"filename": "a.png", "subfolder": "outputs"}, {"filename": "a.png", "subfolder": "output"}):
            assert (await client.get("/view", params=params)).status_code == 200

    async def test_a_subfolder_called_outputs_wins_over_the_alias(self, client: Client, folders: Folders) -> None:
        (folders.output / "outputs").mkdir()
        clear_error(await client.get("/view", params={"filename": "a.png", "subfolder": "outputs"}), 404)

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("", 404),
            ("filename=", 400),
            ("filename=%20[output]", 400),
            ("filename=[output]", 400),
            ("filename=nope.png", 404),
            ("filename=/etc/passwd", 400),
            ("filename=%2Fetc%2Fpasswd", 400),
            ("filename=../../etc/passwd", 400),
            ("filename=..%2f..%2fetc%2fpasswd", 400),
            ("filename=..%5c..%5cetc", 400),
            ("filename=%252e%252e%252fetc", 404),
            ("filename=%c0%ae%c0%ae/x", 404),
            ("filename=a.png%00.txt", 400),
            ("filename=a.png&type=models", 400),
            ("filename=a.png&type=../input", 400),
            ("filename=a.png&subfolder=..", 403),
            ("filename=a.png&subfolder=%2e%2e%2f", 403),
            ("filename=a.png&subfolder=/etc", 403),
            ("filename=a.png&subfolder=sub%2f..%2f..", 403),
            ("filename=a.png&subfolder=a%00b", 403),
            ("filename=link.png", 403),
            ("filename=" + "x" * 3000, 400),
            ("filename=sub&type=input", 404),
            ("filename=a.png&filename=..", 400),
        ],
    )
    async def test_hostile_names(self, client: Client, query: str, status: int) -> None:
        for extra in ("", "&preview=webp", "&channel=a"):
            clear_error(await client.get(f"/view?{query}{extra}"), status)

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(
        filename=st.one_of(st.text(max_size=20), st.sampled_from(["a.png", "..", "link.png", "broken.png", "画.txt"])),
        subfolder=st.one_of(st.none(), st.text(max_size=10), st.sampled_from(["..", "/", "sub", "outputs", ".", "~"])),
        kind=st.one_of(st.none(), st.text(max_size=6), st.sampled_from(["output", "input", "temp"])),
        preview=st.one_of(
            st.none(), st.text(max_size=8), st.sampled_from(["webp;0", "jpeg;999999999999", "png;²", ";"])
        ),
        channel=st.one_of(st.none(), st.text(max_size=4), st.sampled_from(["rgb", "a", "rgba", "alpha"])),
        ranges=st.one_of(st.none(), st.text("bytes=-0123456789, ", max_size=25)),
    )
    async def test_no_request_makes_the_server_fail(self, client: Client, ranges: str | None, **values: Any) -> None:
        params = {
            "filename": values["filename"],
            "subfolder": values["subfolder"],
            "type": values["kind"],
            "preview": values["preview"],
            "channel": values["channel"],
        }
        given_params = {key: value for key, value in params.items() if value is not None}
        try:
            request = client.build_request(
                "GET", "/view", params=given_params, headers={"Range": ranges} if ranges else {}
            )
        except UnicodeEncodeError:  # not a URL
            return
        response = await client.send(request)
        assert response.status_code in (200, 206, 400, 403, 404, 416)

    @pytest.mark.parametrize(
        ("asked", "start", "end"),
        [
            ("bytes=0-9", 0, 10),
            ("bytes=90-", 90, 100),
            ("bytes=-5", 95, 100),
            ("bytes=50-999", 50, 100),
            ("bytes=-500", 0, 100),
        ],
    )
    async def test_ranges(self, client: Client, asked: str, start: int, end: int) -> None:
        response = await client.get("/view?filename=data.bin", headers={"Range": asked})
        assert response.content == bytes(range(start, end))
        assert response.headers["content-length"] == str(end - start)
        if (start, end) == (0, 100):
            assert response.status_code == 200
        else:
            assert response.status_code == 206
            assert response.headers["content-range"] == f"bytes {start}-{end - 1}/100"

    @pytest.mark.parametrize(
        "asked",
        ["bytes=100-", "bytes=5-2", "bytes=-0", "bytes=-", "bytes=a-b", "lines=1-2", "x", "bytes=" + "9" * 50 + "-"],
    )
    async def test_impossible_ranges(self, client: Client, asked: str) -> None:
        response = await client.get("/view?filename=data.bin", headers={"Range": asked})
        clear_error(response, 416)
        assert response.headers["content-range"] == "bytes */100"

    async def test_several_ranges_give_the_whole_file(self, client: Client) -> None:
        response = await client.get("/view?filename=data.bin", headers={"Range": "bytes=0-1,5-6"})
        assert (response.status_code, len(response.content)) == (200, 100)

    async def test_unchanged_files_are_not_sent_again(self, client: Client, folders: Folders) -> None:
        first = await client.get("/view?filename=data.bin")
        for headers in (
            {"If-None-Match": first.headers["etag"]},
            {"If-None-Match": f'"x", W/{first.headers["etag"]}'},
            {"If-None-Match": "*"},
            {"If-Modified-Since": first.headers["last-modified"]},
        ):
            response = await client.get("/view?filename=data.bin", headers=headers)
            assert (response.status_code, response.content) == (304, b"")
            assert response.headers["etag"] == first.headers["etag"]
        for headers in ({"If-None-Match": '"x"'}, {"If-Modified-Since": "garbage"}):
            assert (await client.get("/view?filename=data.bin", headers=headers)).status_code == 200
        (folders.output / "data.bin").write_bytes(b"other")
        again = await client.get("/view?filename=data.bin", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (200, b"other")

    async def test_a_range_of_a_changed_file_gives_the_whole(self, client: Client) -> None:
        headers = {"Range": "bytes=0-1", "If-Range": '"old"'}
        assert (await client.get("/view?filename=data.bin", headers=headers)).status_code == 200
        etag = (await client.get("/view?filename=data.bin")).headers["etag"]
        assert (await client.get("/view?filename=data.bin", headers={**headers, "If-Range": etag})).status_code == 206

    @pytest.mark.parametrize("in_memory", [True, False])
    async def test_a_file_of_many_pieces(
        self, client: Client, folders: Folders, in_memory: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if not in_memory:
            monkeypatch.setattr(file_response, "_READ_NOW", 0)
        data = bytes(range(256)) * 4096 * 3 + b"end"
        (folders.output / "large.bin").write_bytes(data)
        assert (await client.get("/view?filename=large.bin")).content == data
        part = await client.get("/view?filename=large.bin", headers={"Range": "bytes=1000000-3000000"})
        assert part.content == data[1_000_000:3_000_001]

    async def test_a_client_that_goes_away_ends_the_sending(self, folders: Folders) -> None:
        path = folders.output / "large.bin"
        path.write_bytes(bytes(8 << 20))
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        answer = file_response.answer_with_file(path, Headers())
        await answer.response()({"type": "http"}, receive, send)
        assert answer.file is not None
        assert answer.file.closed
        assert sum(len(message.get("body", b"")) for message in sent) < 2 << 20

    async def test_names_that_are_not_ascii(self, client: Client) -> None:
        response = await client.get("/view", params={"filename": "画.txt"})
        assert response.text == "hello"
        assert "filename*=UTF-8''%E7%94%BB.txt" in response.headers["content-disposition"]

    @pytest.mark.parametrize(
        "name", ["x.html", "x.htm", "x.svg", "x.js", "x.mjs", "x.css", "x.xml", "x.xhtml", "x.eml", "X.SVG"]
    )
    async def test_active_files_are_downloads(self, client: Client, folders: Folders, name: str) -> None:
        (folders.output / name).write_text("<script>alert(1)</script>")
        response = await client.get("/view", params={"filename": name})
        assert response.headers["content-type"] == "application/octet-stream"
        assert response.headers["content-disposition"] == f'attachment; filename="{name}"'
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["vary"] == "Sec-Fetch-Dest"
        assert "sandbox" in response.headers["content-security-policy"]

    async def test_svg_in_an_image_element_is_shown(self, client: Client, folders: Folders) -> None:
        (folders.output / "x.svg").write_text("<svg/>")
        response = await client.get("/view?filename=x.svg", headers={"Sec-Fetch-Dest": "image"})
        assert response.headers["content-type"] == "image/svg+xml"
        assert response.headers["content-disposition"] == 'filename="x.svg"'
        assert "sandbox" in response.headers["content-security-policy"]

    async def test_quotes_in_a_name_stay_in_the_header(self, client: Client, folders: Folders) -> None:
        (folders.output / 'a"; x="y.bin').write_bytes(b"1")
        response = await client.get("/view", params={"filename": 'a"; x="y.bin'})
        assert response.headers["content-disposition"] == r'filename="a\"; x=\"y.bin"'

    @pytest.mark.parametrize(
        ("params", "image_format", "mode"),
        [
            ({"preview": "webp;90"}, "WEBP", "RGBA"),
            ({"preview": "webp"}, "WEBP", "RGBA"),
            ({"preview": "jpeg;50"}, "JPEG", "RGB"),
            ({"preview": "png"}, "PNG", "RGBA"),
            ({"preview": "exe;1"}, "WEBP", "RGBA"),
            ({"preview": ""}, "WEBP", "RGBA"),
            ({"preview": "jpeg", "channel": "a"}, "WEBP", "RGBA"),
            ({"preview": "webp", "channel": "rgb"}, "WEBP", "RGB"),
            ({"channel": "rgb"}, "PNG", "RGB"),
            ({"channel": "a"}, "PNG", "RGBA"),
            ({"channel": "alpha"}, "PNG", "RGBA"),
            ({"channel": "rgba"}, "PNG", "RGBA"),
        ],
    )
    async def test_previews_and_channels(
        self, client: Client, params: dict[str, str], image_format: str, mode: str
    ) -> None:
        response = await client.get("/view", params={"filename": "a.png", **params})
        image = decoded(response)
        assert (image.format, image.mode) == (image_format, mode)
        assert response.headers["content-type"] == f"image/{image_format.lower()}"
        assert response.headers["content-disposition"] == 'filename="a.png"'

    async def test_the_alpha_channel_alone(self, client: Client) -> None:
        image = decoded(await client.get("/view?filename=a.png&channel=a"))
        assert image.getpixel((0, 0)) == (0, 0, 0, 128)
        opaque = decoded(await client.get("/view?filename=b.jpg&type=input&subfolder=sub&channel=a"))
        assert opaque.getpixel((0, 0)) == (0, 0, 0, 255)

    async def test_previews_of_sixteen_bit_and_palette_pictures(self, client: Client, folders: Folders) -> None:
        Image.fromarray(np.full((4, 4), 32768, np.uint16)).save(folders.output / "deep.png")
        Image.new("P", (4, 4)).save(folders.output / "palette.gif")
        for name in ("deep.png", "palette.gif"):
            assert decoded(await client.get("/view", params={"filename": name, "preview": "webp"})).size == (4, 4)
        deep = decoded(await client.get("/view?filename=deep.png&channel=rgb"))
        assert deep.getpixel((0, 0)) == (127, 127, 127)

    async def test_what_cannot_be_previewed_is_a_clear_error(self, client: Client, folders: Folders) -> None:
        (folders.output / "large.png").write_bytes(picture(size=(2000, 2000)))
        for name in ("broken.png", "large.png", "data.bin"):
            for params in ({"preview": "webp"}, {"channel": "rgb"}, {"channel": "a"}):
                clear_error(await client.get("/view", params={"filename": name, **params}), 400)

    async def test_conditions_that_ask_for_another_state(self, client: Client) -> None:
        first = await client.get("/view?filename=data.bin")
        for headers in ({"If-Match": '"x"'}, {"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:10 GMT"}):
            clear_error(await client.get("/view?filename=data.bin", headers=headers), 412)
        for headers in (
            {"If-Match": first.headers["etag"]},
            {"If-Match": "*"},
            {"If-Unmodified-Since": first.headers["last-modified"]},
            {"If-Unmodified-Since": "garbage"},
        ):
            assert (await client.get("/view?filename=data.bin", headers=headers)).status_code == 200

    async def test_the_header_of_a_large_file_reads_none_of_it(self, folders: Folders) -> None:
        with (folders.output / "large.bin").open("wb") as file:
            file.truncate(40 << 30)
        answer = file_response.answer_with_file(folders.output / "large.bin", Headers())
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Any) -> None:
            sent.append(message)

        await answer.response()({"type": "http", IS_HEAD: True}, receive, send)
        assert dict(sent[0]["headers"])[b"content-length"] == str(40 << 30).encode()
        assert [message.get("body", b"") for message in sent[1:]] == [b""]

    @pytest.mark.parametrize("asked", ["bytes=" + ",".join(f"{n}-{n}" for n in range(5000)), "bytes=0-" + "9" * 5000])
    async def test_ranges_that_ask_for_too_much(self, client: Client, asked: str) -> None:
        response = await client.get("/view?filename=data.bin", headers={"Range": asked})
        assert response.status_code in (200, 416)
        assert response.status_code == 416 or len(response.content) == 100


class TestBombs:
    """Small files that want a lot of memory or time are refused, or only as much of them is read as is needed."""

    async def answers(self, client: Client, folders: Folders, data: bytes, status: int, why: str = "") -> None:
        (folders.output / "bomb").write_bytes(data)
        for query in ("preview=webp", "preview=jpeg;50", "channel=rgb", "channel=a"):
            response = await client.get(f"/view?filename=bomb&{query}")
            if status == 200:
                assert decoded(response).size == (16, 16)
            else:
                clear_error(response, status)
                assert why in response.json()["error"]["message"]
        (folders.output / "base.png").write_bytes(picture())
        masked = await upload(client, "m.png", data, "/upload/mask", original_ref='{"filename": "base.png"}')
        assert masked.status_code == status

    @pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "TGA"])
    async def test_too_many_pixels(self, client: Client, folders: Folders, image_format: str) -> None:
        await self.answers(client, folders, picture(size=(1001, 1000), image_format=image_format), 400, "megapixels")

    async def test_a_png_that_says_it_is_huge(self, client: Client, folders: Folders) -> None:
        data = bytearray(picture())
        data[16:24] = b"\x7f\xff\xff\xff" * 2
        data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
        await self.answers(client, folders, bytes(data), 400)

    async def test_a_gif_of_100000_frames_shows_its_first(self, client: Client, folders: Folders) -> None:
        one = picture(size=(16, 16), image_format="GIF")
        start = one.index(b"\x2c")  # the image descriptor
        await self.answers(client, folders, one[:start] + one[start:-1] * 100_000 + b";", 200)

    async def test_compressed_text_in_a_png(self, client: Client, folders: Folders) -> None:
        text = zlib.compress(bytes(40 << 20), 9)
        plain = picture(size=(16, 16))
        chunks = b""
        for number in range(5):
            body = b"zTXtk%d\0\0" % number + text
            chunks += (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
        await self.answers(client, folders, plain[:33] + chunks + plain[33:], 400)

    @pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
    async def test_files_that_are_cut_off(self, client: Client, folders: Folders, image_format: str) -> None:
        whole = picture(size=(300, 300), image_format=image_format)
        for length in (0, 3, 12, 60, len(whole) // 2):
            (folders.output / "cut").write_bytes(whole[:length])
            response = await client.get("/view?filename=cut&preview=webp")
            assert response.status_code in (200, 400), response.text

    async def test_archives_stay_closed(self, client: Client, folders: Folders) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros", bytes(50 << 20))
        await upload(client, "a.zip", buffer.getvalue(), subfolder="", type="output")
        assert (await client.get("/view?filename=a.zip")).content == buffer.getvalue()
        clear_error(await client.get("/view?filename=a.zip&preview=webp"), 400)
