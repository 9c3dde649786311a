"""Which output stands for a job in `/api/jobs`, and what counts as one."""

import json

import pytest

from inglenook.api.comfy.job_entries import TEXT_CHARACTERS, listed_entry
from inglenook.jobs import Job, JobId, ListedJob, State

SAVED = {"filename": "a.png", "subfolder": "", "type": "output"}
PREVIEW = {"filename": "p.png", "subfolder": "", "type": "temp"}
SOUND = {"filename": "s.flac", "subfolder": "audio", "type": "output"}
MODEL = {"filename": "m.GLB", "subfolder": "3d", "type": "output"}
NOTE = {"filename": "n.txt", "subfolder": "", "type": "output"}
CLIP = {"filename": "v.mp4", "subfolder": "", "type": "output", "format": "video/h264-mp4"}
LATENT = {"filename": "l.latent", "subfolder": "", "type": "output"}


def entry(outputs, **fields):
    job = Job(JobId("j"), 3, b"", (), "", 1000, state=State.succeeded, started_ms=2000, ended_ms=3000, **fields)
    return json.loads(listed_entry(ListedJob(job, "w", outputs, None)))


def chosen(outputs):
    return entry(outputs).get("preview_output")


def test_a_finished_job_has_its_times_and_its_picture():
    assert entry({"9": {"images": [SAVED]}}) == {
        "id": "j",
        "status": "completed",
        "priority": 3,
        "create_time": 1000,
        "execution_start_time": 2000,
        "execution_end_time": 3000,
        "outputs_count": 1,
        "previewable_outputs_count": 1,
        "workflow_id": "w",
        "preview_output": {**SAVED, "nodeId": "9", "mediaType": "images"},
    }


@pytest.mark.parametrize(
    ("outputs", "node_id", "key", "name"),
    [
        ({"1": {"images": [PREVIEW]}, "2": {"images": [SAVED]}}, "2", "images", "a.png"),
        ({"1": {"images": [PREVIEW, SAVED]}}, "1", "images", "a.png"),
        ({"1": {"images": [PREVIEW]}, "2": {"text": [NOTE]}}, "1", "images", "p.png"),
        ({"1": {"audio": [SOUND]}}, "1", "audio", "s.flac"),
        ({"1": {"3d": [MODEL]}}, "1", "3d", "m.GLB"),
        ({"1": {"files": [MODEL]}}, "1", "files", "m.GLB"),
        ({"1": {"gifs": [CLIP]}}, "1", "gifs", "v.mp4"),
        ({"1": {"images": [CLIP], "animated": [True]}}, "1", "images", "v.mp4"),
        ({"1": {"text": ["said"]}, "2": {"files": [NOTE]}}, "2", "files", "n.txt"),
    ],
)
def test_the_best_output_stands_for_the_job(outputs, node_id, key, name):
    preview = chosen(outputs)
    assert (preview["nodeId"], preview["mediaType"], preview["filename"]) == (node_id, key, name)


def test_a_text_stands_for_a_job_that_shows_nothing_else():
    assert chosen({"1": {"text": ["short"]}}) == {"content": "short", "nodeId": "1", "mediaType": "text"}
    long = chosen({"1": {"text": ["é" * 5000]}})
    assert (long["content"], long["truncated"]) == ("é" * TEXT_CHARACTERS, True)
    exact = chosen({"1": {"text": ["x" * TEXT_CHARACTERS]}})
    assert "truncated" not in exact


@pytest.mark.parametrize(
    ("named", "subfolder", "kind"),
    [("m.glb", "", "output"), ("3d/x/m.glb", "3d/x", "output"), ("3d/m.glb [temp]", "3d", "temp")],
)
def test_a_string_that_names_a_model_is_a_file(named, subfolder, kind):
    shown = entry({"1": {"result": [named, None, {"camera": 1}, 5]}})
    assert shown["outputs_count"] == 2  # the camera is an object
    preview = shown["preview_output"]
    assert preview == {
        "filename": "m.glb",
        "subfolder": subfolder,
        "type": kind,
        "nodeId": "1",
        "mediaType": "3d",
    }


def test_what_is_no_item_does_not_count():
    outputs = {"1": {"animated": [True], "images": [SAVED]}, "2": {"text": ["a", "b"]}, "3": {"latents": [LATENT]}}
    shown = entry(outputs)
    assert (shown["outputs_count"], shown["previewable_outputs_count"]) == (2, 1)


@pytest.mark.parametrize(
    "outputs",
    [
        {"1": None},
        {"1": {"images": None}},
        {"1": {"images": {"filename": "x"}}},
        {"1": {"images": [None, 5, [], {"filename": 7}, {"format": 3}]}},
        {"1": {"text": [None, 1.5]}},
        {},
    ],
)
def test_odd_outputs_do_no_harm(outputs):
    assert entry(outputs)["status"] == "completed"


def test_a_failed_job_tells_its_error():
    job = Job(JobId("j"), 0, b"", (), "", 1, state=State.failed, started_ms=2, ended_ms=3)
    fields = {"node_id": "2", "class_type": "X", "executed": [], "message": "no", "exception_type": "ValueError"}
    fields |= {"traceback": ["t"], "inputs": {}, "current_outputs": [], "time_ms": 3}
    shown = json.loads(listed_entry(ListedJob(job, None, {}, None, ["Failed", fields])))
    assert shown["status"] == "failed"
    error = shown["execution_error"]
    assert (error["prompt_id"], error["node_id"], error["exception_message"]) == ("j", "2", "no")
    assert "workflow_id" not in shown
    assert "preview_output" not in shown
