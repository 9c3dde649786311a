"""The workflow library over HTTP: stored, listed, read, changed, restored, copied, removed."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from inglenook.api.gateway.library_models import (
    UploadedModel,
    VersionsModel,
    WorkflowDetail,
    WorkflowPage,
    WorkflowSummary,
)
from inglenook.api.gateway.refusals import Refusal
from inglenook.api.gateway.workflow_update import UpdatedWorkflow
from inglenook.media.metadata import exif
from tests.api.idle import idle_server

PICTURE = {
    "3": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 48, "batch_size": 1, "color": 7}},
    "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "made", "images": ["3", 0]}},
}
DRAWN = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 5, "steps": 20, "cfg": 7, "sampler_name": "euler", "scheduler": "normal", "denoise": 1,
            "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0],
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "inglenook-demo.safetensor"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a hill", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "ugly", "clip": ["4", 1]}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "ComfyUI", "images": ["8", 0]}},
}  # fmt: skip
EDITOR = {
    "version": 0.4,
    "nodes": [
        {"id": 1, "type": "EmptyImage", "mode": 0, "inputs": [], "widgets_values": [64, 48, 1, 7],
         "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [5]}], "pos": [10, 20]},
        {"id": 2, "type": "PreviewImage", "mode": 0, "outputs": [],
         "inputs": [{"name": "images", "type": "IMAGE", "link": 5}]},
    ],
    "links": [[5, 1, 0, 2, 0, "IMAGE"]],
}  # fmt: skip


async def store(idle, name="a.json", workflow=PICTURE, **more):
    reply = await idle.http.post("/api/workflow/upload", json={"name": name, "workflow": workflow, **more})
    assert reply.status_code in (200, 201), reply.text
    return reply


async def names(idle, **query):
    listed = (await idle.http.get("/api/workflows", params={"samples": "false", **query})).json()
    return [one["filename"] for one in listed["workflows"]]


def png(**texts):
    info = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        info.add_text(key, json.dumps(value))
    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, "PNG", pnginfo=info)
    return data.getvalue()


def webp(graph):
    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, "WEBP", exif=exif({"prompt": json.dumps(graph)}))
    return data.getvalue()


# Upload


async def test_a_file_of_a_form_is_stored_under_its_name(idle):
    files = {"file": ("人像 写真.json", json.dumps(DRAWN), "application/json")}
    reply = await idle.http.post("/api/workflow/upload", files=files, data={"tags": "sd15, 人像", "description": "d"})
    assert reply.status_code == 201
    answer = reply.json()
    assert (answer["filename"], answer["version"]) == ("人像 写真.json", 1)
    (entry,) = answer["workflows"]
    assert entry["tags"] == ["sd15", "人像"]
    assert {"positive_prompt", "seed", "steps", "cfg"} <= {one["role"] for one in entry["parameters"]}
    found = (await idle.http.get("/api/workflow/人像 写真.json")).json()
    assert found["workflow"] == found["graph"] == DRAWN


async def test_several_files_are_stored_together_or_not_at_all(idle):
    good = ("file", ("one.json", json.dumps(PICTURE)))
    reply = await idle.http.post("/api/workflow/upload", files=[good, ("file", ("two.png", png(prompt=PICTURE)))])
    assert [one["filename"] for one in reply.json()["workflows"]] == ["one.json", "two.json"]
    bad = [("file", ("three.json", json.dumps(PICTURE))), ("file", ("four.json", "[1]"))]
    reply = await idle.http.post("/api/workflow/upload", files=bad)
    assert reply.status_code == 400
    assert "four.json" in reply.json()["error"]["message"]
    assert sorted(await names(idle)) == ["one.json", "two.json"]


@pytest.mark.parametrize(
    ("filename", "content", "kind"),
    [
        ("x.png", png(prompt=PICTURE), "api"),
        ("x.png", png(prompt=PICTURE, workflow=EDITOR), "ui"),
        ("x.webp", webp(PICTURE), "api"),
        ("x.json", json.dumps({"prompt": PICTURE}).encode(), "api"),
        ("x.json", json.dumps({"workflow": EDITOR}).encode(), "ui"),
        ("x.json", b"\xef\xbb\xbf" + json.dumps(EDITOR).encode(), "ui"),
        ("x.json", json.dumps({**PICTURE, "9": {**PICTURE["9"], "_meta": {"title": "保存"}}},
                              ensure_ascii=False).encode("gbk"), "api"),
    ],
)  # fmt: skip
async def test_every_format_is_taken(idle, filename, content, kind):
    reply = await idle.http.post("/api/workflow/upload", files={"file": (filename, content)})
    assert reply.status_code == 201, reply.text
    found = (await idle.http.get("/api/workflow/x.json")).json()
    assert found["format"] == kind
    assert {node["class_type"] for node in found["graph"].values()} >= {"EmptyImage"}


async def test_a_body_that_is_the_workflow_has_its_name_in_the_address(idle):
    assert (await idle.http.post("/api/workflow/upload?name=a", json=PICTURE)).status_code == 201
    assert (await idle.http.post("/api/workflow/upload?name=b", content=png(prompt=PICTURE))).status_code == 201
    assert (await idle.http.post("/api/workflow/upload", json=PICTURE)).status_code == 422
    assert sorted(await names(idle)) == ["a.json", "b.json"]


async def test_a_video_gives_the_workflow_that_made_it(idle, tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata["prompt"] = json.dumps(PICTURE)
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for packet in stream.encode(av.VideoFrame(32, 32, "yuv420p")):
            container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    reply = await idle.http.post("/api/workflow/upload", files={"file": ("clip.mp4", path.read_bytes())})
    await idle.services.media_reader.close()
    assert reply.status_code == 201, reply.text
    assert (await idle.http.get("/api/workflow/clip")).json()["graph"] == PICTURE


async def test_the_same_name_is_a_new_version_and_the_same_document_is_not(idle):
    assert (await store(idle)).status_code == 201
    again = await store(idle)
    assert (again.status_code, again.json()["version"]) == (200, 1)
    changed = await store(idle, workflow=DRAWN)
    assert changed.json()["workflows"][0]["is_changed"]
    assert changed.json()["version"] == 2


async def test_a_taken_name_is_refused_without_overwrite(idle):
    await store(idle)
    body = {"name": "a.json", "workflow": DRAWN, "overwrite": False}
    reply = await idle.http.post("/api/workflow/upload", json=body)
    assert (reply.status_code, reply.json()["error"]["type"]) == (409, "workflow_exists")
    form = await idle.http.post(
        "/api/workflow/upload", files={"file": ("a.json", json.dumps(DRAWN))}, data={"overwrite": "false"}
    )
    assert form.status_code == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "../a.json", "workflow": PICTURE}, 422),
        ({"name": "a/b.json", "workflow": PICTURE}, 422),
        ({"name": "a\0.json", "workflow": PICTURE}, 422),
        ({"name": "", "workflow": PICTURE}, 422),
        ({"name": "x" * 300, "workflow": PICTURE}, 422),
        ({"name": ["a"], "workflow": PICTURE}, 422),
        ({"workflow": PICTURE}, 422),
        ({"name": "a", "workflow": PICTURE, "tags": "sd"}, 422),
        ({"name": "a", "workflow": PICTURE, "tags": ["x"] * 51}, 422),
        ({"name": "a", "workflow": PICTURE, "tags": [1]}, 422),
        ({"name": "a", "workflow": PICTURE, "description": "\0"}, 422),
        ({"name": "a", "workflow": PICTURE, "overwrite": "no"}, 422),
        ({"name": "a", "workflow": 5}, 422),
        ({"name": "a", "workflow": {}}, 400),
        ({"name": "a", "workflow": {"1": {"inputs": {}}}}, 400),
        ({"name": "a", "workflow": "not JSON"}, 400),
        ({"name": "a"}, 400),
        ([], 422),
        ("text", 422),
        (None, 400),
    ],
)
async def test_what_cannot_be_stored_is_refused(idle, body, status):
    reply = await idle.http.post("/api/workflow/upload", json=body)
    assert reply.status_code == status, reply.text
    assert reply.json()["error"]["type"]
    assert await names(idle) == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\x89PNG\r\n\x1a\n", png(), b"\0\0\0\x18ftypisom" + b"\0" * 99, b"ID3x"]
)
async def test_a_file_without_a_workflow_is_refused(idle, content):
    reply = await idle.http.post("/api/workflow/upload", files={"file": ("a.json", content)})
    await idle.services.media_reader.close()
    assert reply.status_code == 400, reply.text


# List


async def test_workflows_are_found_by_text_and_tag_and_sorted(idle):
    await store(idle, "b.json", tags=["SDXL", "portrait"], description="Faces")
    await store(idle, "a.json", DRAWN, tags=["sdxl"])
    await store(idle, "山.json", tags=["landscape"])
    assert await names(idle) == ["山.json", "a.json", "b.json"]
    assert await names(idle, sort="name") == ["a.json", "b.json", "山.json"]
    assert await names(idle, sort="name", order="desc") == ["山.json", "b.json", "a.json"]
    assert (await names(idle, sort="size"))[0] == "a.json"
    assert await names(idle, search="FACE") == ["b.json"]
    assert await names(idle, search="山") == ["山.json"]
    assert sorted(await names(idle, tags="sdxl")) == ["a.json", "b.json"]
    assert await names(idle, tags="sdxl,portrait") == ["b.json"]


async def test_the_list_comes_in_pages(idle):
    for number in range(5):
        await store(idle, f"{number}.json", tags=["x"])
    query = {"samples": "false", "sort": "name", "limit": "2", "page": "2"}
    page = (await idle.http.get("/api/workflows", params=query)).json()
    assert [one["filename"] for one in page["workflows"]] == ["2.json", "3.json"]
    assert (page["total"], page["has_more"], page["tags"]) == (5, True, {"x": 5})
    assert (await idle.http.get("/api/workflows", params={**query, "page": "9"})).json()["workflows"] == []


@pytest.mark.parametrize("query", ["page=0", "page=x", "limit=0", "limit=1e9", "sort=;drop", "order=up", "samples=5"])
async def test_a_query_that_makes_no_sense_is_a_422(idle, query):
    reply = await idle.http.get(f"/api/workflows?{query}")
    assert (reply.status_code, reply.json()["error"]["type"]) == (422, "invalid_request")


# One workflow


async def test_a_workflow_tells_what_it_makes_and_what_is_missing(idle):
    unknown = {**DRAWN, "20": {"class_type": "KSamplr", "inputs": {}}}
    await store(idle, workflow=unknown)
    found = (await idle.http.get("/api/workflow/a.json")).json()
    assert [(one["node_id"], one["kind"]) for one in found["outputs"]] == [("9", "image")]
    assert [one["class_type"] for one in found["missing"]["nodes"]] == ["KSamplr"]
    assert "KSampler" in found["missing"]["nodes"][0]["near_matches"]
    (model,) = found["missing"]["models"]
    assert (model["folder"], model["near_matches"]) == ("checkpoints", ["inglenook-demo.safetensors"])
    assert [one["version"] for one in found["versions"]] == [1]


@pytest.mark.parametrize("name", ["nothing.json", "..", "%2e%2e%2fetc", "a%00b", "%ff", "x" * 5000])
@pytest.mark.parametrize("rest", ["", "/versions", "/download"])
async def test_a_name_that_is_not_there_is_a_404(idle, name, rest):
    reply = await idle.http.get(f"/api/workflow/{name}{rest}")
    assert reply.status_code == 404


async def test_versions_are_listed_read_and_restored(idle):
    await store(idle)
    await store(idle, workflow=DRAWN)
    first = (await idle.http.get("/api/workflow/a.json?version=1")).json()
    assert (first["shown_version"], first["version"], first["workflow"]) == (1, 2, PICTURE)
    assert (await idle.http.get("/api/workflow/a.json?version=3")).status_code == 404
    assert (await idle.http.get("/api/workflow/a.json?version=0")).status_code == 422
    restored = await idle.http.post("/api/workflow/a.json/versions/1/restore")
    assert restored.json()["version"] == 3
    assert (await idle.http.get("/api/workflow/a.json")).json()["workflow"] == PICTURE
    listed = (await idle.http.get("/api/workflow/a.json/versions")).json()["versions"]
    assert [(one["version"], one["origin"], one["current"]) for one in listed] == [
        (3, "restore 1", True),
        (2, "upload", False),
        (1, "upload", False),
    ]
    assert (await idle.http.post("/api/workflow/a.json/versions/9/restore")).status_code == 404


async def test_a_workflow_is_downloaded_as_a_file(idle):
    await store(idle, "肖像.json", EDITOR)
    reply = await idle.http.get("/api/workflow/肖像.json/download")
    assert reply.json() == EDITOR
    assert reply.headers["content-disposition"] == "attachment; filename*=UTF-8''%E8%82%96%E5%83%8F.json"
    api = await idle.http.get("/api/workflow/肖像.json/download?format=api")
    assert api.json()["1"]["class_type"] == "EmptyImage"


async def test_a_workflow_is_renamed_and_removed(idle):
    await store(idle)
    await store(idle, "b.json")
    taken = await idle.http.post("/api/workflow/a.json/rename", json={"name": "b"})
    assert taken.status_code == 409
    for wrong in ({"name": "../x"}, {"name": 5}, {}, {"name": "."}):
        assert (await idle.http.post("/api/workflow/a.json/rename", json=wrong)).status_code == 422
    renamed = await idle.http.post("/api/workflow/a.json/rename", json={"name": "c"})
    assert renamed.json()["filename"] == "c.json"
    assert (await idle.http.get("/api/workflow/a.json")).status_code == 404
    assert (await idle.http.delete("/api/workflow/c")).status_code == 204
    assert (await idle.http.delete("/api/workflow/c")).status_code == 404
    assert await names(idle) == ["b.json"]


# Samples


async def test_samples_are_read_only_until_they_are_copied(idle):
    listed = (await idle.http.get("/api/workflows")).json()["workflows"]
    samples = {one["filename"] for one in listed if one["sample"]}
    assert {"text-to-image.json", "image-to-image.json", "inpaint.json", "invert.json"} <= samples
    place = "/api/workflow/invert.json"
    for refused in (
        await idle.http.delete(place),
        await idle.http.post(f"{place}/rename", json={"name": "x"}),
        await idle.http.post("/api/workflow/update", json={"filename": "invert.json", "tags": ["x"]}),
        await idle.http.post(f"{place}/versions/1/restore"),
    ):
        assert (refused.status_code, refused.json()["error"]["type"]) == (409, "read_only")
    assert (await idle.http.post(f"{place}/copy")).status_code == 201
    assert not (await idle.http.get(place)).json()["sample"]
    assert (await idle.http.delete(place)).status_code == 204
    assert (await idle.http.get(place)).json()["sample"]


async def test_a_copy_has_another_name(idle):
    await store(idle, tags=["x"], description="d")
    assert (await idle.http.post("/api/workflow/a.json/copy")).status_code == 409
    copied = (await idle.http.post("/api/workflow/a.json/copy", json={"name": "b"})).json()
    assert (copied["filename"], copied["tags"], copied["description"], copied["version"]) == ("b.json", ["x"], "d", 1)


async def test_every_sample_needs_nothing_that_does_not_ship_with_the_server(idle):
    listed = (await idle.http.get("/api/workflows")).json()["workflows"]
    for name in (one["filename"] for one in listed if one["sample"]):
        found = (await idle.http.get(f"/api/workflow/{name}")).json()
        assert found["missing"] == {"nodes": [], "models": [], "inputs": []}, name
        assert found["outputs"], name
        required = [one["type"] for one in found["parameters"] if one["required"]]
        assert set(required) <= {"image"}, name


# Update


async def update(idle, **body):
    return await idle.http.post("/api/workflow/update", json={"filename": "a.json", **body})


async def test_values_are_written_into_the_workflow_as_a_new_version(idle):
    await store(idle, workflow=DRAWN)
    reply = await update(idle, params={"6.text": "新的提示词", "seed": 9})
    assert reply.status_code == 200, reply.text
    assert reply.json()["version"] == 2
    assert reply.json()["used"]["seed"] == 9
    found = (await idle.http.get("/api/workflow/a.json")).json()["workflow"]
    assert found["6"]["inputs"]["text"] == "新的提示词"
    assert found["3"]["inputs"]["seed"] == 9
    assert (await idle.http.get("/api/workflow/a.json?version=1")).json()["workflow"] == DRAWN


async def test_a_workflow_of_the_editor_keeps_its_format(idle):
    await store(idle, workflow=EDITOR)
    assert (await update(idle, params={"1.width": 128})).status_code == 200
    found = (await idle.http.get("/api/workflow/a.json")).json()
    assert found["format"] == "ui"
    assert found["workflow"]["nodes"][0] == {**EDITOR["nodes"][0], "widgets_values": [128, 48, 1, 7]}
    assert found["graph"]["1"]["inputs"]["width"] == 128


async def test_the_whole_is_replaced_and_values_are_written_into_it(idle):
    await store(idle)
    reply = await update(idle, workflow=DRAWN, params={"6.text": "新的提示词"}, tags=["x"], description="d", name="b")
    assert reply.json()["filename"] == "b.json"
    found = (await idle.http.get("/api/workflow/b.json")).json()
    assert found["workflow"]["6"]["inputs"]["text"] == "新的提示词"
    assert (found["version"], found["tags"], found["description"]) == (2, ["x"], "d")


async def test_words_alone_make_no_new_version(idle):
    await store(idle)
    reply = await update(idle, tags=["y", "y", " "], description="new")
    assert (reply.json()["version"], reply.json()["tags"], reply.json()["is_changed"]) == (1, ["y"], False)


async def test_a_seed_that_is_drawn_for_each_run_stays_one(idle):
    random = {**DRAWN, "3": {**DRAWN["3"], "inputs": {**DRAWN["3"]["inputs"], "seed": -1}}}
    await store(idle, workflow=random)
    assert (await update(idle, params={"steps": 3})).json()["used"] == {"steps": 3}
    assert (await idle.http.get("/api/workflow/a.json")).json()["workflow"]["3"]["inputs"]["seed"] == -1
    await update(idle, params={"seed": 4})
    await update(idle, params={"seed": -1})
    assert (await idle.http.get("/api/workflow/a.json")).json()["workflow"]["3"]["inputs"]["seed"] == -1


async def test_wrong_values_change_nothing_and_tell_the_choices(idle):
    await store(idle, workflow=DRAWN)
    reply = await update(idle, params={"sampler": "eulr", "stepps": 3}, tags=["x"])
    assert (reply.status_code, reply.json()["error"]["type"]) == (422, "invalid_parameters")
    problems = {one["parameter"]: one["choices"] for one in reply.json()["error"]["details"]}
    assert "euler" in problems["sampler"]
    assert "steps" in problems["stepps"]
    found = (await idle.http.get("/api/workflow/a.json")).json()
    assert (found["version"], found["tags"]) == (1, [])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"filename": "nothing", "tags": ["x"]}, 404),
        ({"filename": 5}, 422),
        ({"params": []}, 422),
        ({"params": {"6.text": {"a": [1]}}}, 422),
        ({"params": {"": 1}}, 422),
        ({"workflow": 5}, 422),
        ({"workflow": {"a": 1}}, 400),
        ({"name": "a/b"}, 422),
        ({"tags": {"a": 1}}, 422),
        ({"description": 5}, 422),
    ],
)
async def test_an_update_that_makes_no_sense_is_refused(idle, body, status):
    await store(idle, workflow=DRAWN)
    reply = await update(idle, **body)
    assert reply.status_code == status, reply.text


async def test_updates_at_once_are_all_kept(idle):
    await store(idle, workflow=DRAWN)
    keys = ["6.text", "7.text", "5.width"]
    replies = await asyncio.gather(*(update(idle, params={key: 128 if key == "5.width" else key}) for key in keys))
    assert [reply.status_code for reply in replies] == [200] * 3
    found = (await idle.http.get("/api/workflow/a.json")).json()
    assert (found["graph"]["6"]["inputs"]["text"], found["graph"]["7"]["inputs"]["text"]) == ("6.text", "7.text")
    assert (found["graph"]["5"]["inputs"]["width"], found["version"]) == (128, 4)


async def test_users_have_libraries_of_their_own(tmp_path: Path):
    async with idle_server(tmp_path, multi_user=True) as idle:
        user = (await idle.http.post("/users", json={"username": "ann"})).json()
        ann = {"Comfy-User": user if isinstance(user, str) else user["id"]}
        body = {"name": "a.json", "workflow": PICTURE}
        assert (await idle.http.post("/api/workflow/upload", json=body, headers=ann)).status_code == 201
        assert (await idle.http.get("/api/workflow/a.json", headers=ann)).status_code == 200
        assert (await idle.http.get("/api/workflow/a.json")).status_code == 404
        assert await names(idle) == []


async def test_answers_are_what_the_api_document_says(idle):
    uploaded = await store(idle, workflow={**EDITOR, "extra": {"x": None}}, tags=["x"])
    UploadedModel.model_validate_json(uploaded.content, strict=True)
    await store(idle, "b.json", {**DRAWN, "20": {"class_type": "Nothing", "inputs": {}}})
    for name in ("a.json", "b.json", "image-to-image.json"):
        found = await idle.http.get(f"/api/workflow/{name}")
        WorkflowDetail.model_validate_json(found.content, strict=True)
    WorkflowPage.model_validate_json((await idle.http.get("/api/workflows")).content, strict=True)
    VersionsModel.model_validate_json((await idle.http.get("/api/workflow/a/versions")).content, strict=True)
    changed = await update(idle, params={"1.width": 8})
    UpdatedWorkflow.model_validate_json(changed.content, strict=True)
    copied = await idle.http.post("/api/workflow/a/copy", json={"name": "c"})
    WorkflowSummary.model_validate_json(copied.content, strict=True)
    refused = await update(idle, params={"1.width": "x"})
    Refusal.model_validate_json(refused.content, strict=True)
