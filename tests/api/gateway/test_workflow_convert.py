"""`POST /api/workflow/convert`: any workflow file as a graph in API format."""

import json

import pytest

from tests.api.comfy.test_prompt_formats import UI, png
from tests.api.live import picture_graph

GRAPH = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 64, "height": 48, "batch_size": 1, "color": 99},
        "_meta": {"title": "EmptyImage"},
    },
    "2": {
        "class_type": "SaveImage",
        "inputs": {"filename_prefix": "ui", "images": ["1", 0]},
        "_meta": {"title": "Save Image"},
    },
}


@pytest.mark.parametrize(
    "body",
    [
        {"workflow": UI},
        {"workflow": json.dumps(UI)},
        {"workflow": {"workflow": UI}},
        UI,
        png({"workflow": json.dumps(UI)}),
        json.dumps({"workflow": UI}).encode("utf-8-sig"),
    ],
)
async def test_a_workflow_becomes_a_graph(idle, body):
    reply = await idle.http.post("/api/workflow/convert", content=body if isinstance(body, bytes) else json.dumps(body))
    assert reply.status_code == 200, reply.text
    assert reply.json() == {"graph": GRAPH, "repairs": [], "missing": []}


async def test_a_graph_in_api_format_comes_back_as_it_is(idle):
    reply = await idle.http.post("/api/workflow/convert", json={"workflow": picture_graph(3)})
    assert reply.json() == {"graph": picture_graph(3), "repairs": [], "missing": []}


def test_classes_that_no_worker_has_are_told_and_their_nodes_kept(live):
    unknown = {"id": 9, "type": "EmptyImag", "title": "Mine"}
    reply = live.post("/api/workflow/convert", {"workflow": {**UI, "nodes": [*UI["nodes"], unknown]}}).json()
    (missing,) = reply["missing"]
    assert missing["class_type"] == "EmptyImag"
    assert missing["nodes"] == [{"id": "9", "title": "Mine"}]
    assert missing["near_matches"][0] == "EmptyImage"
    assert reply["graph"]["9"] == {"class_type": "EmptyImag", "inputs": {}, "_meta": {"title": "Mine"}}


async def test_values_that_did_not_fit_are_told(idle):
    node = {"id": 1, "type": "ImageAddNoise", "widgets_values": [5, 0.5]}
    reply = await idle.http.post("/api/workflow/convert", json={"workflow": {"nodes": [node]}})
    (repair,) = reply.json()["repairs"]
    assert (repair["node_id"], repair["kind"], repair["before"]) == ("1", "values_realigned", [5, 0.5])
    assert reply.json()["graph"]["1"]["inputs"] == {"seed": 5, "strength": 0.5}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b'{"workflow": null}',
        b'{"workflow": 5}',
        b'{"workflow": "a red circle"}',
        b'{"nodes": [{"type": "a"}], "definitions": {"subgraphs": [{"id": "a", "nodes": [{"type": "a"}]}]}}',
        b'{"workflow": {"nodes": [{"id": "' + b"x" * 300 + b'"}]}}',
        json.dumps({"workflow": {"nodes": [{"id": index, "type": "Note"} for index in range(20_001)]}}).encode(),
        b'{"workflow": ' + b'{"a":' * 200 + b"1" + b"}" * 201,
        png({}),
    ],
)  # fmt: skip
async def test_what_is_no_workflow_is_refused(idle, body):
    reply = await idle.http.post("/api/workflow/convert", content=body)
    assert reply.status_code == 400, reply.text
    assert set(reply.json()["error"]) == {"type", "message", "details"}


async def test_a_sound_that_carries_a_workflow_is_read_as_body_and_in_a_form(idle, tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "tone.flac"
    with av.open(str(path), "w") as container:
        container.metadata["prompt"] = json.dumps(picture_graph(3))
        stream = container.add_stream("flac", rate=8000, layout="mono")
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.sample_rate = 8000
        for packet in (*stream.encode(frame), *stream.encode()):
            container.mux(packet)
    data = path.read_bytes()
    bare = await idle.http.post("/api/workflow/convert", content=data)
    form = await idle.http.post("/api/workflow/convert", files={"file": ("tone.flac", data)})
    await idle.services.media_reader.close()
    assert bare.json()["graph"] == form.json()["graph"] == picture_graph(3), bare.text


async def test_a_form_without_one_file_is_refused(idle):
    for files in ({"a": ("a", b"{}"), "b": ("b", b"{}")}, {"file": ("a.json", b"{}")}):
        reply = await idle.http.post("/api/workflow/convert", files=files)
        assert reply.status_code == 400, reply.text
