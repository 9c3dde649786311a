"""Stored workflows as endpoints, on a real server."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from inglenook.api.access.scopes import Scope, needed
from inglenook.api.gateway.task_models import Task
from inglenook.api.gateway.workflow_run import preferred_wait_s
from tests.api.gateway.test_workflow_library import DRAWN, PICTURE, store


def png(size=(40, 30), colour="red"):
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, "PNG")
    return data.getvalue()


def run(live, name, values, **headers):
    return live.post(f"/api/run/{name}", values, headers=headers)


def picture_of(live, task):
    (result,) = [one for one in task["results"] if one["kind"] == "image"]
    return Image.open(io.BytesIO(live.get(result["url"]).content))


def test_the_finished_task_comes_to_whom_would_rather_wait(live):
    reply = run(live, "invert", {"width": 40, "1.height": 24}, Prefer="respond-async, wait=60")
    assert reply.status_code == 200, reply.text
    assert reply.headers["preference-applied"] == "wait=60"
    Task.model_validate_json(reply.content, strict=True)
    task = reply.json()
    assert (task["status"], task["workflow"]) == ("success", "invert.json")
    assert task["parameters"] == {"width": 40, "height": 24}
    assert picture_of(live, task).size == (40, 24)


def test_without_waiting_the_task_is_told(live):
    reply = run(live, "invert.json", {"width": 41})
    assert reply.status_code == 202, reply.text
    task_id = reply.json()["task_id"]
    assert live.wait(task_id)["status"]["completed"]
    assert live.get(f"/api/task/{task_id}").json()["status"] == "success"


def test_a_form_brings_the_picture_itself(live):
    form = {"files": {"image": ("mine.png", png(colour="blue"))}, "data": {"width": "16", "params": '{"height": 8}'}}
    reply = live.post("/api/run/scale-image", headers={"Prefer": "wait=60"}, **form)
    assert reply.status_code == 200, reply.text
    picture = picture_of(live, reply.json())
    assert picture.size == (16, 8)
    assert picture.convert("RGB").getpixel((3, 3)) == (0, 0, 255)


def test_values_beside_which_something_is_said_of_the_run_stand_in_params(live):
    body = {"params": {"width": 42}, "priority": 3, "timeout": 60}
    task = run(live, "invert", body, Prefer="wait=60").json()
    assert (task["parameters"], task["priority"], task["timeout"]) == ({"width": 42}, 3, 60)


def test_the_same_key_gives_the_same_task(live):
    first = run(live, "invert", {"width": 43}, **{"Idempotency-Key": "run-43"})
    again = run(live, "invert", {"width": 43}, **{"Idempotency-Key": "run-43"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["task_id"] == again.json()["task_id"]
    assert run(live, "invert", {"width": 44}, **{"Idempotency-Key": "run-43"}).status_code == 409


def test_a_run_gives_the_stored_workflow_its_thumbnail(live):
    live.post("/api/workflow/upload", {"name": "thumb", "workflow": PICTURE})
    run(live, "thumb", {"width": 640, "height": 320}, Prefer="wait=60")
    reply = live.get("/api/workflow/thumb/thumbnail")
    assert Image.open(io.BytesIO(reply.content)).size == (320, 160)


def test_an_older_version_can_be_run(live):
    live.post("/api/workflow/upload", {"name": "old", "workflow": PICTURE})
    live.post("/api/workflow/update", {"filename": "old", "params": {"width": 90}})
    assert picture_of(live, run(live, "old", {}, Prefer="wait=60").json()).width == 90
    task = live.post("/api/run/old?version=1", {}, headers={"Prefer": "wait=60"}).json()
    assert picture_of(live, task).width == 64


@pytest.mark.parametrize(
    ("name", "body", "status", "kind"),
    [
        ("nothing", {}, 404, "workflow_not_found"),
        ("%2e%2e", {}, 404, "workflow_not_found"),
        ("invert", {"width": "wide"}, 422, "invalid_parameters"),
        ("invert", {"widht": 5}, 422, "invalid_parameters"),
        ("invert", {"params": {"width": 5}, "priority": "high"}, 422, "invalid_request"),
        ("scale-image", {}, 422, "invalid_parameters"),
        ("scale-image", {"image": "nothing.png"}, 422, "invalid_parameters"),
        ("invert", [], 400, "invalid_json"),
        ("invert", b"{", 400, "invalid_json"),
    ],
)
def test_what_cannot_be_run_is_refused(live, name, body, status, kind):
    reply = run(live, name, body)
    assert reply.status_code == status, reply.text
    assert kind is None or reply.json()["error"]["type"] == kind


def test_what_is_needed_is_named(live):
    (problem,) = run(live, "scale-image", {}).json()["error"]["details"]
    assert problem["parameter"] == "image"


def test_what_is_needed_hides_nothing_else_that_is_wrong(live):
    reply = run(live, "scale-image", {"foo": 1, "width": "x"})
    assert [problem["parameter"] for problem in reply.json()["error"]["details"]] == ["image", "foo", "width"]
    form = {"files": {"picture": ("a.png", png())}, "data": {"width": "x"}}
    problems = live.post("/api/run/scale-image", **form).json()["error"]["details"]
    assert [problem["parameter"] for problem in problems] == ["image", "picture", "width"]


def test_a_file_under_a_wrong_name_hides_no_value_that_is_wrong(live):
    form = {"files": {"image": ("a.png", png()), "picture": ("a.png", png())}, "data": {"width": "x", "foo": "1"}}
    problems = live.post("/api/run/scale-image", **form).json()["error"]["details"]
    assert [problem["parameter"] for problem in problems] == ["picture", "width", "foo"]


async def test_a_task_that_does_not_end_in_time_is_told_as_accepted(idle):
    await store(idle)
    reply = await idle.http.post("/api/run/a", json={}, headers={"Prefer": "wait=0"})
    assert (reply.status_code, reply.json()["status"]) == (202, "pending")
    assert "preference-applied" not in reply.headers


async def test_the_schema_tells_all_parameters(idle):
    await store(idle, workflow=DRAWN)
    found = (await idle.http.get("/api/run/a/schema")).json()
    assert found["properties"]["seed"]["type"] == "integer"
    assert found["properties"]["positive_prompt"]["default"] == "a hill"
    assert (await idle.http.get("/api/run/nothing/schema")).status_code == 404
    assert (await idle.http.get("/api/run/a/schema?version=2")).status_code == 404


async def test_a_workflow_with_a_parameter_called_params_still_takes_it(idle):
    marked = {**PICTURE, "3": {**PICTURE["3"], "_meta": {"title": "Input: params"}}}
    await store(idle, workflow=marked)
    reply = await idle.http.post("/api/run/a", content=json.dumps({"3.width": 9}))
    assert reply.status_code == 202, reply.text


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=30", 30),
        ("respond-async, wait=5", 5),
        ('handling=lenient; wait="7"', 7),
        ("WAIT = 9", 9),
        ("wait=99999", 300),
        ("wait=-1", None),
        ("wait=soon", None),
        ("waits=5", None),
        ("", None),
    ],
)
def test_the_preference_is_read(header, seconds):
    assert preferred_wait_s([header]) == seconds


def test_a_key_that_may_run_may_run_stored_workflows():
    assert needed("POST", "/run/a.json") is Scope.RUN
    assert needed("GET", "/run/a.json/schema") is Scope.READ
