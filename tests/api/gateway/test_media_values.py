"""Values that are files, on their way into the input folder."""

import asyncio
import base64
import io
import struct
from urllib.parse import quote

import pytest
from PIL import Image
from starlette.datastructures import UploadFile

from inglenook.api.gateway import media_values
from inglenook.api.gateway.media_values import store_files
from inglenook.workflows.parameters import ParameterError, apply, recognise
from tests.api.idle import idle_services

GRAPH = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "cat.png"}},
    "2": {"class_type": "LoadAudio", "inputs": {"audio": "a.wav"}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
}


def picture(color=0, kind="PNG"):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), color).save(file, kind)
    return file.getvalue()


PNG = picture()
WAV = b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + bytes(100)


@pytest.fixture
async def server(tmp_path):
    async with idle_services(tmp_path) as services:
        services.folders.create()
        yield services


async def stored(server, values, parts=None):
    """The values after files were stored and applied."""
    catalog = server.catalogs.current
    parameters = recognise(GRAPH, catalog)
    given = await store_files(server, GRAPH, parameters, values, parts)
    return apply(GRAPH, parameters, given, catalog).used


async def refusal(server, values, parts=None):
    with pytest.raises(ParameterError) as caught:
        await stored(server, values, parts)
    return caught.value.problems


def upload(data, name="photo.png"):
    return UploadFile(io.BytesIO(data), filename=name)


def inputs_of(server):
    return sorted(path.name for path in server.folders.input.iterdir())


@pytest.mark.parametrize(
    "value",
    [
        base64.b64encode(PNG).decode(),
        base64.urlsafe_b64encode(PNG).decode().rstrip("="),
        "\n".join(base64.encodebytes(PNG).decode().split()),
        "data:image/png;base64," + base64.b64encode(PNG).decode(),
        "DATA:;base64," + base64.b64encode(PNG).decode(),
        "data:image/png," + quote(PNG),
    ],
)
async def test_content_in_a_value_becomes_a_file(server, value):
    used = await stored(server, {"image": value})
    assert (server.folders.input / used["image"]).read_bytes() == PNG
    assert used["image"].endswith(".png")


async def test_a_file_of_a_form_wins_over_the_value_of_the_same_parameter(server):
    used = await stored(server, {"1.image": "nothing.png"}, {"1.image": upload(PNG)})
    assert (server.folders.input / used["image"]).read_bytes() == PNG


async def test_the_same_bytes_are_stored_once(server):
    values = ["data:image/png;base64," + base64.b64encode(PNG).decode()] * 8
    used = await asyncio.gather(*(stored(server, {"image": value}) for value in values))
    assert len({one["image"] for one in used}) == 1
    assert inputs_of(server) == [used[0]["image"]]


async def test_a_file_that_was_put_under_that_name_by_somebody_is_not_taken_for_it(server):
    name = (await stored(server, {"image": upload(PNG)}))["image"]
    (server.folders.input / name).write_bytes(b"something else")
    used = await stored(server, {"image": upload(PNG)})
    assert (server.folders.input / used["image"]).read_bytes() == PNG


async def test_a_hash_of_an_asset_waits_for_the_submission(server):
    content = "blake3:" + "0a" * 32
    (value,) = (await stored(server, {"1.image": content})).values()
    assert value == content
    assert inputs_of(server) == []


async def test_names_of_uploaded_files_are_taken_as_they_are(server):
    (server.folders.input / "sub").mkdir()
    for name in ("dog.png", "sub/dog.png"):
        (server.folders.input / name).write_bytes(PNG)
    for value in ("dog.png", "sub/dog.png [input]"):
        assert (await stored(server, {"image": value})) == {"image": value}
    answer_of_upload = {"name": "dog.png", "subfolder": "sub", "type": "input"}
    assert (await stored(server, {"image": answer_of_upload})) == {"image": "sub/dog.png"}


async def test_a_long_prompt_of_plain_words_is_no_file(server):
    words = "a photo of a cat on a roof at night in the rain with a red umbrella and a hat"
    assert (await stored(server, {"3.filename_prefix": words})) == {"output_prefix": words}


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"image": "gone.png"}, {}),
        ({"image": "x" * 200}, {}),
        ({"image": "!" * 20_000}, {}),
        ({"image": "data:image/png;base64,%%%"}, {}),
        ({"image": "data:image/svg+xml,<svg/>"}, {}),
        ({"image": "data:text/html;base64," + base64.b64encode(b"<script>").decode()}, {}),
        ({"image": "data:,"}, {}),
        ({"image": {"name": "../../etc/passwd"}}, {}),
        ({"image": {"name": 5}}, {}),
        ({"image": {"name": "a.png", "type": "secret"}}, {}),
        ({"image": {}}, {}),
        ({"image": "../x.png"}, {}),
        ({"image": "a\0.png"}, {}),
        ({}, {"image": upload(WAV, "a.png")}),
        ({}, {"image": upload(b"", "a.svg")}),
        ({}, {"image": upload(b"<svg/>", "a.svg")}),
        ({}, {"image": upload(b"not an image", "a.png")}),
        ({}, {"image": upload(b"", "a.png")}),
        ({}, {"image": upload(b"", "a.tga")}),
        ({}, {"audio": upload(b"not a sound", "a.flac")}),
        ({}, {"audio": upload(PNG)}),
        ({}, {"output_prefix": upload(PNG)}),
        ({}, {"nobody": upload(PNG)}),
        ({"image": "http://127.0.0.1/a.png"}, {}),
    ],
)
async def test_what_gives_no_file_of_the_kind_is_refused_and_leaves_nothing(server, values, parts):
    (problem,) = await refusal(server, values, parts)
    assert problem["parameter"] in {*values, *parts}
    assert inputs_of(server) == []


async def test_the_sound_of_a_film_and_a_file_known_by_its_name_alone_are_taken(server):
    film = b"\0\0\0\x20ftypisom" + bytes(64)
    assert (await stored(server, {}, {"audio": upload(film, "a.mp4")}))["audio"].endswith(".mp4")
    assert (await stored(server, {}, {"image": upload(b"strange bytes", "C:\\x\\a.JXL")}))["image"].endswith(".jxl")


async def test_more_files_than_a_request_may_bring_are_refused(server):
    values = {f"{index}.image": "data:," for index in range(101)}
    (problem,) = await refusal(server, values)
    assert "100" in problem["message"]


async def test_remote_files_are_fetched_where_the_setting_allows_it(tmp_path, monkeypatch):
    async def fetched(url, limits):
        assert (url, limits.size_bytes) == ("https://example.com/a.png?x=1", 100 << 20)
        return io.BytesIO(PNG)

    monkeypatch.setattr(media_values, "fetch", fetched)
    async with idle_services(tmp_path, allow_remote_inputs=True) as services:
        services.folders.create()
        used = await stored(services, {"image": "https://example.com/a.png?x=1"})
        assert (services.folders.input / used["image"]).read_bytes() == PNG


async def test_remote_files_of_the_own_network_are_refused_although_the_setting_allows_remote_ones(tmp_path):
    async with idle_services(tmp_path, allow_remote_inputs=True) as services:
        services.folders.create()
        (problem,) = await refusal(services, {"image": "http://127.0.0.1:9/a.png"})
        assert "may come from" in problem["message"]
