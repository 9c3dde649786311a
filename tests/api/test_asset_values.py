"""Graphs that name files by their assets: hashes and names of uploads, each user's own and everybody's."""

import io
import json
import uuid

import blake3
import pytest
from PIL import Image

from tests.api.idle import idle_server


def picture(colour="red"):
    file = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(file, "PNG")
    return file.getvalue()


RED, BLUE = picture(), picture("blue")
NOBODYS = "blake3:" + "0" * 64
LOADERS = [("LoadImage", "image"), ("LoadImageMask", "image"), ("LoadAudio", "audio"), ("LoadVideo", "file")]


def hash_of(data):
    return f"blake3:{blake3.blake3(data).hexdigest()}"


def graph(value, class_type="LoadImage", name="image"):
    more = {"channel": "alpha"} if class_type == "LoadImageMask" else {}
    sink = {"LoadAudio": "PreviewAudio", "LoadVideo": "SaveVideo", "LoadImageMask": "MaskPreview"}
    inputs = {
        "PreviewAudio": {"audio": ["1", 0]},
        "SaveVideo": {"video": ["1", 0], "filename_prefix": "x", "format": "auto", "codec": "auto"},
        "MaskPreview": {"mask": ["1", 0]},
        "PreviewImage": {"images": ["1", 0]},
    }
    shown = sink.get(class_type, "PreviewImage")
    return {
        "1": {"class_type": class_type, "inputs": {name: value, **more}},
        "2": {"class_type": shown, "inputs": inputs[shown]},
    }


class Front:
    """A server with assets whose jobs wait."""

    def __init__(self, server):
        self.http, self.services = server.http, server.services

    async def upload(self, data=RED, file_name="a.png", headers=None):
        reply = await self.http.post(
            "/api/assets", files={"file": (file_name, data)}, data={"tags": "input"}, headers=headers
        )
        assert reply.status_code in (200, 201), reply.text
        return reply.json()

    async def named(self, name, data=RED, file_name="a.png", headers=None):
        """An upload to which a user then gave another name."""
        asset = await self.upload(data, file_name, headers)
        reply = await self.http.put(f"/api/assets/{asset['id']}", json={"name": name}, headers=headers)
        assert reply.status_code == 200, reply.text
        return asset

    async def prompt(self, value, *loader, headers=None, **body):
        return await self.http.post("/prompt", json={"prompt": graph(value, *loader), **body}, headers=headers)

    async def file_of(self, value, *loader, headers=None, **body):
        """What the loader of the queued job is given."""
        reply = await self.prompt(value, *loader, headers=headers, **body)
        assert reply.status_code == 200, reply.text
        job = await self.services.store.get(reply.json()["prompt_id"])
        (given,) = (text for text in json.loads(job.graph)["1"]["inputs"].values() if text != "alpha")
        return given

    async def refusal(self, value, *loader, headers=None):
        reply = await self.prompt(value, *loader, headers=headers)
        assert reply.status_code == 400, reply.text
        (reason,) = reply.json()["node_errors"]["1"]["errors"]
        return reason


@pytest.fixture
async def front(tmp_path):
    async with idle_server(tmp_path, with_assets=True) as server:
        server.services.folders.create()
        yield Front(server)


@pytest.mark.parametrize("loader", LOADERS)
async def test_a_hash_is_the_file_with_that_content(front, loader):
    content = (await front.upload(RED, "cat.bin"))["hash"]
    assert await front.file_of(content, *loader) == "cat.bin"
    assert await front.file_of(f"{content} [input]", *loader) == "cat.bin"


@pytest.mark.parametrize("loader", LOADERS)
async def test_a_hash_that_no_asset_has_is_refused_by_name(front, loader):
    reason = await front.refusal(NOBODYS, *loader)
    assert reason["type"] in ("custom_validation_failed", "value_not_in_list")
    assert NOBODYS in reason["details"]


@pytest.mark.parametrize(
    "value", ["blake3:", "blake3:xyz", "blake3:" + "g" * 64, "blake3:" + "0" * 10_000, "blake3:\0"]
)
async def test_what_only_looks_like_a_hash_is_refused(front, value):
    assert "blake3:" in (await front.refusal(value))["details"]


async def test_a_result_is_named_with_its_folder(front, tmp_path):
    folder = tmp_path / "output" / "sub"
    folder.mkdir()
    (folder / "b.png").write_bytes(BLUE)
    assets = front.services.assets
    await assets.scanner.wait()
    assets.library.hashes_files = True
    reply = await front.http.post("/api/assets/seed?wait=true", json={"roots": ["output"]})
    assert reply.status_code == 200, reply.text
    assert await front.file_of(hash_of(BLUE)) == "sub/b.png [output]"


async def test_a_client_is_told_what_stands_for_the_hash(front):
    content = (await front.upload())["hash"]
    reply = (await front.prompt(content, extra_data={"strict": True})).json()
    (repair,) = reply["repairs"]
    assert (repair["node_id"], repair["kind"], repair["before"], repair["after"]) == ("1", "asset", content, "a.png")


async def test_a_file_that_has_changed_since_is_not_the_one(front, tmp_path):
    content = (await front.upload())["hash"]
    (tmp_path / "input" / "a.png").write_bytes(BLUE * 2)
    assert content in (await front.refusal(content))["details"]


async def test_a_name_that_a_user_gave_is_the_file(front):
    await front.named("my cat")
    assert await front.file_of("my cat") == "a.png"
    await front.named("a.png", BLUE, "other.png")
    assert await front.file_of("a.png") == "a.png"  # a file goes first
    assert "your cat" in (await front.refusal("your cat"))["details"]


async def test_a_name_of_a_removed_file_is_none(front, tmp_path):
    await front.named("my cat")
    (tmp_path / "input" / "a.png").unlink()
    assert "my cat" in (await front.refusal("my cat"))["details"]


async def test_a_text_elsewhere_stays_what_it_is(front):
    content = (await front.upload())["hash"]
    wanted = graph("a.png")
    wanted["2"] = {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": content}}
    reply = (await front.http.post("/prompt", json={"prompt": wanted})).json()
    job = await front.services.store.get(reply["prompt_id"])
    assert json.loads(job.graph)["2"]["inputs"]["filename_prefix"] == content


async def test_the_same_prompt_again_is_the_same_job_and_another_hash_is_not(front):
    red, blue = [(await front.upload(data, f"{data[50]}.png"))["hash"] for data in (RED, BLUE)]
    job_id = str(uuid.uuid4())
    first = await front.prompt(red, prompt_id=job_id)
    again = await front.prompt(red, prompt_id=job_id)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["number"] == again.json()["number"]
    assert (await front.prompt(blue, prompt_id=job_id)).status_code == 409


async def test_very_many_hashes_are_an_error_like_others(front):
    wanted = {}
    for number in range(400):
        wanted |= {f"{number}.{key}": node for key, node in graph(f"blake3:{number:064x}").items()}
        wanted[f"{number}.2"]["inputs"]["images"] = [f"{number}.1", 0]
    reply = await front.http.post("/prompt", json={"prompt": wanted})
    assert reply.status_code == 400
    assert len(reply.json()["node_errors"]) == 400


async def test_without_a_library_a_hash_is_a_name_of_no_file(tmp_path):
    async with idle_server(tmp_path) as server:
        assert NOBODYS in (await Front(server).refusal(NOBODYS))["details"]


async def test_nobody_reaches_assets_of_others(tmp_path):
    async with idle_server(tmp_path, with_assets=True, multi_user=True) as server:
        server.services.folders.create()
        front = Front(server)
        users = [(await server.http.post("/users", json={"username": name})).json() for name in ("ann", "bob")]
        ann, bob = ({"Comfy-User": user} for user in users)
        content = (await front.named("my cat", headers=ann))["hash"]
        for value in (content, "my cat"):
            assert await front.file_of(value, headers=ann) == "a.png"
            for other in (bob, None):
                assert value in (await front.refusal(value, headers=other))["details"]
