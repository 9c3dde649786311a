"""`POST /api/workflow/submit`: any workflow, with values for its parameters, becomes a task."""

import asyncio
import json

import pytest

from tests.api.comfy.test_prompt_formats import UI, png
from tests.api.idle import idle_server
from tests.api.live import new_id, picture_graph

SUBMIT = "/api/workflow/submit"


def seeded_graph():
    graph = picture_graph(7)
    graph["3"] = {"class_type": "ImageAddNoise", "inputs": {"image": ["1", 0], "seed": 1, "strength": 0.5}}
    graph["2"]["inputs"]["images"] = ["3", 0]
    return graph


async def submitted(idle, body, status=202, **options):
    content = body if isinstance(body, bytes) else json.dumps(body)
    reply = await idle.http.post(SUBMIT, content=content, **options)
    assert reply.status_code == status, reply.text
    return reply.json()


async def stored_graph(idle, task):
    return json.loads((await idle.store.get(task["task_id"])).graph)


async def test_a_workflow_with_values_becomes_a_task(idle):
    body = {"workflow": picture_graph(), "params": {"1.width": 40, "1.height": 24}, "timeout": 600}
    task = await submitted(idle, body)
    assert task["prompt_id"] == task["task_id"]
    assert (task["status"], task["position"], task["repairs"]) == ("pending", 1, [])
    assert task["parameters"] == {"width": 40, "height": 24}
    inputs = (await stored_graph(idle, task))["1"]["inputs"]
    assert (inputs["width"], inputs["height"]) == (40, 24)
    assert (await idle.store.get(task["task_id"])).timeout_s == 600


@pytest.mark.parametrize(
    "body",
    [
        picture_graph(),
        UI,
        {"prompt": picture_graph()},
        {"workflow": UI},
        {"workflow": json.dumps(UI)},
        {"workflow": {"prompt": picture_graph()}},
        png({"prompt": json.dumps(picture_graph())}),
        json.dumps(UI).encode("utf-8-sig"),
    ],
    ids=str,
)
async def test_a_workflow_file_of_any_format_is_taken_as_it_is(idle, body):
    task = await submitted(idle, body)
    graph = await stored_graph(idle, task)
    assert {node["class_type"] for node in graph.values()} >= {"EmptyImage"}


async def test_values_are_set_in_a_workflow_of_the_editor(idle):
    task = await submitted(idle, {"workflow": UI, "params": {"1.width": 32}})
    assert (await stored_graph(idle, task))["1"]["inputs"]["width"] == 32


async def test_drawn_seeds_are_told_and_kept(idle):
    task = await submitted(idle, {"workflow": seeded_graph(), "params": {"seed": -1}})
    seed = task["parameters"]["seed"]
    assert seed >= 0
    assert (await stored_graph(idle, task))["3"]["inputs"]["seed"] == seed


async def test_a_seed_that_is_drawn_without_parameters_is_told_too(idle):
    graph = seeded_graph()
    graph["3"]["inputs"]["seed"] = -1
    task = await submitted(idle, graph)
    assert task["parameters"] == {"seed": (await stored_graph(idle, task))["3"]["inputs"]["seed"]}
    assert [repair["kind"] for repair in task["repairs"]] == ["seed_drawn"]


async def test_unknown_and_unfit_parameters_are_told_with_the_choices(idle):
    body = {"workflow": picture_graph(), "params": {"widht": 5, "1.height": "high", "9.x": 1}}
    error = (await submitted(idle, body, 422))["error"]
    assert error["type"] == "invalid_parameters"
    problems = {problem["parameter"]: problem for problem in error["details"]}
    assert problems.keys() == {"widht", "1.height", "9.x"}
    assert "width" in problems["widht"]["choices"]


async def test_a_workflow_that_the_user_has_saved_in_the_editor_is_run_by_its_name(idle):
    folder = idle.services.folders.user / "default" / "workflows"
    folder.mkdir(parents=True)
    (folder / "肖像.json").write_text(json.dumps(UI), "utf-8")
    for name in ("肖像", "肖像.json"):
        task = await submitted(idle, {"workflow": name, "params": {"1.width": 48}})
        assert (await stored_graph(idle, task))["1"]["inputs"]["width"] == 48
    for name in ("missing", "../default/workflows/肖像", "/etc/passwd", "a\0b", "x" * 5000, " "):
        assert (await submitted(idle, {"workflow": name}, 404))["error"]["type"] == "workflow_not_found"


async def test_larger_priorities_are_first_and_positions_tell_it(idle):
    first = await submitted(idle, {"workflow": picture_graph(1)})
    urgent = await submitted(idle, {"workflow": picture_graph(2), "priority": 5})
    least = await submitted(idle, {"workflow": picture_graph(3), "priority": -1})
    assert (first["position"], urgent["position"], least["position"]) == (1, 1, 3)
    assert [run.job.id for run in idle.dispatcher.waiting()] == [
        urgent["task_id"],
        first["task_id"],
        least["task_id"],
    ]


async def test_the_same_key_a_hundred_times_at_once_is_one_task(idle):
    body = {"workflow": seeded_graph(), "params": {"seed": -1}, "idempotency_key": new_id()}
    replies = await asyncio.gather(*(idle.http.post(SUBMIT, json=body) for _ in range(100)))
    assert sorted({reply.status_code for reply in replies}) == [200, 202]
    assert [reply.status_code for reply in replies].count(202) == 1
    assert len({reply.json()["task_id"] for reply in replies}) == 1
    assert len({reply.json()["parameters"]["seed"] for reply in replies}) == 1
    assert idle.dispatcher.remaining == 1


async def test_a_key_in_the_header_counts_as_well_and_other_work_under_it_is_refused(idle):
    key = {"Idempotency-Key": new_id()}
    first = await submitted(idle, {"workflow": picture_graph(1)}, headers=key)
    again = await submitted(idle, {"workflow": picture_graph(1)}, 200, headers=key)
    assert again["task_id"] == first["task_id"]
    refused = await submitted(idle, {"workflow": picture_graph(1), "params": {"1.width": 8}}, 409, headers=key)
    assert refused["error"]["type"] == "prompt_id_conflict"


async def test_a_full_queue_says_when_to_try_again(tmp_path):
    async with idle_server(tmp_path, queue_limit_mb=0.0001) as idle:
        await submitted(idle, {"workflow": picture_graph()})
        reply = await idle.http.post(SUBMIT, json={"workflow": picture_graph(2)})
        assert (reply.status_code, reply.json()["error"]["type"]) == (429, "queue_full")
        assert int(reply.headers["retry-after"]) > 0


async def test_a_graph_that_cannot_run_is_refused_as_prompt_refuses_it(idle):
    graph = picture_graph()
    graph["1"]["class_type"] = "EmptyImag"
    error = await submitted(idle, {"workflow": graph}, 400)
    assert error["error"]["type"] == "missing_node_type"
    assert error["error"]["extra_info"]["missing"][0]["near_matches"][0] == "EmptyImage"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"null", 400),
        (b"[]", 400),
        (b"NaN", 400),
        (b"{}", 400),
        (b'{"workflow": null}', 400),
        (b'{"workflow": 5}', 400),
        (b'{"workflow": []}', 400),
        (b'{"workflow": {}}', 400),
        (b'{"workflow": ' + b'{"a":' * 200 + b"1" + b"}" * 201, 400),
        ({"workflow": picture_graph(), "params": []}, 422),
        ({"workflow": picture_graph(), "params": {"\0": 1}}, 422),
        ({"workflow": picture_graph(), "params": {"1.width": {"a": [1]}}}, 422),
        ({"workflow": picture_graph(), "params": {"1.width": 10**400}}, 400),
        ({"workflow": picture_graph(), "params": {str(index): 1 for index in range(6000)}}, 422),
        ({"workflow": picture_graph(), "timeout": 0}, 422),
        ({"workflow": picture_graph(), "timeout": 1e300}, 422),
        ({"workflow": picture_graph(), "timeout": "soon"}, 422),
        ({"workflow": picture_graph(), "priority": 1.5}, 422),
        ({"workflow": picture_graph(), "priority": True}, 422),
        ({"workflow": picture_graph(), "timeout": True}, 422),
        ({"workflow": picture_graph(), "priority": 10**30}, 422),
        ({"workflow": picture_graph(), "client_id": ["a"]}, 422),
        ({"workflow": picture_graph(), "webhook": 5}, 422),
        ({"workflow": picture_graph(), "idempotency_key": "k" * 2000}, 422),
        ({"workflow": picture_graph(), "extra_data": "text"}, 422),
        ({"workflow": picture_graph(), "partial_execution_targets": [["2"]]}, 422),
        ({"workflow": picture_graph(), "partial_execution_targets": []}, 400),
    ],
    ids=lambda value: str(value)[-60:],
)
async def test_hostile_bodies_are_refused_with_a_reason(idle, body, status):
    content = body if isinstance(body, bytes) else json.dumps(body)
    reply = await idle.http.post(SUBMIT, content=content)
    assert reply.status_code == status, reply.text
    assert {"type", "message", "details"} <= set(reply.json()["error"])
    assert idle.dispatcher.remaining == 0


async def test_it_exists_under_api_alone(idle):
    assert (await idle.http.post("/workflow/submit", json=picture_graph())).status_code in (404, 405)


async def test_a_model_that_has_just_come_is_taken_although_the_workflow_was_sent_before(idle):
    graph = picture_graph()
    graph["4"] = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "old.ckpt"}}
    folder = idle.services.folders.model_folder("checkpoints").paths[0]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "old.ckpt").touch()
    await submitted(idle, {"workflow": graph, "params": {"4.ckpt_name": "old.ckpt"}})
    await submitted(idle, {"workflow": graph, "params": {"4.ckpt_name": "new.ckpt"}}, 422)
    (folder / "new.ckpt").touch()
    task = await submitted(idle, {"workflow": graph, "params": {"4.ckpt_name": "new.ckpt"}})
    assert (await stored_graph(idle, task))["4"]["inputs"]["ckpt_name"] == "new.ckpt"


async def test_a_form_runs_a_workflow_file_with_values_and_files(idle):
    graph = picture_graph()
    graph["4"] = {"class_type": "LoadImage", "inputs": {"image": "missing.png"}}
    graph["2"]["inputs"]["images"] = ["4", 0]
    picture = png({})
    fields = {"priority": "3", "timeout": "60"}
    files = {"workflow": ("mine.json", json.dumps(graph).encode()), "4.image": ("a.png", picture)}
    reply = await idle.http.post(SUBMIT, data=fields, files=files)
    assert reply.status_code == 202, reply.text
    job = await idle.store.get(reply.json()["task_id"])
    assert (job.priority, job.timeout_s) == (3, 60)
    stored = idle.services.folders.directory("input") / json.loads(job.graph)["4"]["inputs"]["image"]
    assert stored.read_bytes() == picture


async def test_a_field_of_a_form_that_is_no_option_is_a_value(idle):
    files = {"file": ("mine.png", png({"prompt": json.dumps(picture_graph())}))}
    reply = await idle.http.post(SUBMIT, data={"1.width": "40", "params": '{"1.height": 24}'}, files=files)
    assert reply.json()["parameters"] == {"width": 40, "height": 24}


async def test_fields_of_a_form_that_nobody_has_filled_in_count_as_none(idle):
    files = {"file": ("mine.json", json.dumps(picture_graph()).encode())}
    empty = dict.fromkeys(("params", "extra_data", "webhook", "partial_execution_targets"), "")
    reply = await idle.http.post(SUBMIT, data=empty, files=files)
    assert reply.status_code == 202, reply.text


@pytest.mark.parametrize(
    ("fields", "files", "status"),
    [
        ({}, {"workflow": ("a.json", b"")}, 400),
        ({}, {"workflow": ("a.mp4", b"\0\0\0\x18ftypmp42")}, 400),
        ({"workflow": "{"}, {"x": ("a.png", b"1")}, 404),
        ({"workflow": json.dumps(picture_graph()), "params": "[1]"}, {"x": ("a", b"1")}, 422),
        ({"workflow": json.dumps(picture_graph()), "params": "{"}, {"x": ("a", b"1")}, 400),
        ({"workflow": json.dumps(picture_graph()), "timeout": "NaN"}, {"x": ("a", b"1")}, 422),
        ({"priority": "1"}, {"picture": ("a.png", b"1")}, 400),
    ],
)
async def test_hostile_forms_are_refused_with_a_reason(idle, fields, files, status):
    reply = await idle.http.post(SUBMIT, data=fields, files=files)
    assert reply.status_code == status, reply.text
    assert reply.json()["error"]["message"]
