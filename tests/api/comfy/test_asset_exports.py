"""Several assets as one zip file, by the steps that the official editor takes."""

import asyncio
import contextlib
import io
import json
import zipfile
from typing import Any

import pytest
from websockets.asyncio.client import connect

from inglenook.api.exports import Exports
from tests.api.idle import NeverReady, idle_server
from tests.api.live import picture_graph
from tests.api.packs import serving

GONE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def server(tmp_path):
    async with idle_server(tmp_path, with_assets=True) as server:
        server.services.folders.create()
        yield server


async def upload(http, data, name, headers=None):
    reply = await http.post("/api/assets", files={"file": (name, data)}, data={"tags": "input"}, headers=headers)
    assert reply.status_code == 201, reply.text
    return reply.json()["id"]


async def exported(http, headers=None, **body: Any):
    """The task and the archive of an export."""
    reply = await http.post("/api/assets/export", json=body, headers=headers)
    assert reply.status_code == 202, reply.text
    task = (await http.get(f"/api/tasks/{reply.json()['task_id']}", headers=headers)).json()
    assert (task["id"], task["status"]) == (reply.json()["task_id"], "completed")
    url = (await http.get(f"/api/assets/exports/{task['result']['export_name']}")).json()["url"]
    content = await http.get(f"/api{url}")
    assert (content.status_code, content.headers["content-type"]) == (200, "application/zip")
    assert content.headers["content-disposition"].startswith("attachment")
    with zipfile.ZipFile(io.BytesIO(content.content)) as archive:
        return task["result"], {name: archive.read(name) for name in archive.namelist()}


async def test_assets_come_in_one_file_and_what_is_not_there_is_counted(server):
    ids = [await upload(server.http, name.encode(), name) for name in ("a.png", "b.png")]
    result, files = await exported(server.http, asset_ids=[*ids, GONE, "no id"], naming_strategy="preserve")
    assert files == {"a.png": b"a.png", "b.png": b"b.png"}
    assert (result["assets_total"], result["assets_failed"], result["bytes_total"]) == (4, 2, 10)


async def test_files_can_be_named_by_their_ids(server):
    first = await upload(server.http, b"1", "a.png")
    _, files = await exported(server.http, asset_ids=[first], naming_strategy="asset_id")
    assert files == {f"{first}.png": b"1"}


async def test_equal_names_stay_apart(server, tmp_path):
    (tmp_path / "output" / "A.png").write_bytes(b"2")
    first = await upload(server.http, b"1", "a.png")
    reply = await server.http.get("/api/assets?hash=A.png")
    _, files = await exported(server.http, asset_ids=[first, reply.json()["assets"][0]["id"]])
    assert files == {"a.png": b"1", "A (1).png": b"2"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"asset_ids": []},
        {"asset_ids": "x"},
        {"asset_ids": [5]},
        {"asset_ids": [[]]},
        {"job_ids": {}},
        {"asset_ids": ["x"] * 5000},
        {"asset_ids": ["x"], "naming_strategy": "../.."},
        {"asset_ids": ["x"], "naming_strategy": [1]},
        {"job_ids": ["x"], "job_asset_name_filters": [1]},
        {"job_ids": ["x"], "job_asset_name_filters": {"x": 1}},
    ],
)
async def test_a_body_that_makes_no_sense_is_refused(server, body):
    reply = await server.http.post("/api/assets/export", json=body)
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "INVALID_BODY"


@pytest.mark.parametrize("body", [{"asset_ids": [GONE]}, {"job_ids": ["\0", "../../etc", "x" * 10_000, "\u2028"]}])
async def test_an_export_of_nothing_is_refused(server, body):
    reply = await server.http.post("/api/assets/export", json=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "ASSET_NOT_FOUND")


@pytest.mark.parametrize("name", ["x.zip", "..%2f..%2fetc%2fpasswd", "%00", "inglenook-.zip"])
async def test_other_names_lead_nowhere(server, name):
    for path in (f"/api/assets/exports/{name}", f"/api/assets/exports/{name}/content", f"/api/tasks/{name}"):
        assert (await server.http.get(path)).status_code == 404


async def test_assets_of_others_are_not_there(tmp_path):
    async with idle_server(tmp_path, with_assets=True, multi_user=True) as server:
        server.services.folders.create()
        users = [(await server.http.post("/users", json={"username": name})).json() for name in ("ann", "bob")]
        ann, bob = ({"Comfy-User": user} for user in users)
        own = await upload(server.http, b"1", "a.png", ann)
        assert (await exported(server.http, ann, asset_ids=[own]))[1] == {"a.png": b"1"}
        assert (await server.http.post("/api/assets/export", json={"asset_ids": [own]}, headers=bob)).status_code == 404
        task = (await server.http.post("/api/assets/export", json={"asset_ids": [own]}, headers=ann)).json()["task_id"]
        assert (await server.http.get(f"/api/tasks/{task}", headers=bob)).status_code == 404


def test_an_export_is_forgotten_after_an_hour():
    now = [0.0]
    exports = Exports(clock=lambda: now[0])
    export = exports.add(None, [], wanted=1, failed=0, size_bytes=0)
    now[0] = 3599.0
    assert exports.get(export.id) == exports.named(export.name) == export
    now[0] = 3600.0
    assert exports.get(export.id) is exports.named(export.name) is None


def test_results_of_a_job_are_grouped_by_it(live):
    job_id = live.submit(picture_graph(77, sink="SaveImage", filename_prefix="exported"))
    ((picture,),) = (shown["images"] for shown in live.wait(job_id)["outputs"].values())
    for names in ({job_id: [picture["filename"]]}, {}):
        body = {"job_ids": [job_id], "job_asset_name_filters": names, "naming_strategy": "group_by_job_id"}
        reply = live.post("/api/assets/export", body)
        assert reply.status_code == 202, reply.text
        task = live.get(f"/api/tasks/{reply.json()['task_id']}").json()
        url = live.get(f"/api/assets/exports/{task['result']['export_name']}").json()["url"]
        with zipfile.ZipFile(io.BytesIO(live.get(f"/api{url}").content)) as archive:
            assert archive.namelist() == [f"{job_id}/{picture['filename']}"]
    reply = live.post("/api/assets/export", {"job_ids": [job_id], "job_asset_name_filters": {job_id: ["other.png"]}})
    assert reply.status_code == 404


async def test_an_editor_hears_of_its_export_unless_another_would_download_it_too(tmp_path):
    async def editor():
        socket = await stack.enter_async_context(connect(f"ws://127.0.0.1:{server.port}/ws", proxy=None))
        await socket.send(json.dumps({"type": "feature_flags", "data": {}}))
        await heard(socket, "feature_flags")
        return socket

    async def heard(socket, kind):
        async with asyncio.timeout(30):
            while (message := json.loads(await socket.recv()))["type"] != kind:
                pass
        return message["data"]

    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(tmp_path, NeverReady(), with_assets=True))
        server.services.folders.create()
        asset = await upload(server.http, b"1", "a.png")
        first = await editor()
        result, _ = await exported(server.http, asset_ids=[asset])
        event = await heard(first, "asset_export")
        assert (event["export_name"], event["status"]) == (result["export_name"], "completed")
        second = await editor()
        await exported(server.http, asset_ids=[asset])
        server.services.sockets.tell_editors("last", {})
        for socket in (first, second):
            async with asyncio.timeout(30):
                kinds = []
                while "last" not in kinds:
                    kinds.append(json.loads(await socket.recv())["type"])
            assert "asset_export" not in kinds
