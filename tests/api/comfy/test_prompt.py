"""`POST /prompt` against a real server: what is accepted, what is refused and how, and that one id is one job."""

import asyncio
import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from inglenook.api.submission import submit_body
from inglenook.dispatch.catalogs import Catalogs
from inglenook.engine.replacement import NodeReplacement
from inglenook.nodes.interfaces import builtin_interfaces
from tests.api.idle import ImpatientCatalogs, idle_services
from tests.api.live import is_left, new_id, picture_graph, read_until


def test_a_graph_is_accepted_and_runs(live):
    reply = live.post("/prompt", {"prompt": picture_graph(1)})
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    body = reply.json()
    assert body["node_errors"] == {}
    uuid.UUID(body["prompt_id"])
    entry = live.wait(body["prompt_id"])
    assert entry["status"]["status_str"] == "success"
    assert entry["prompt"][0] == body["number"]
    assert entry["prompt"][1] == body["prompt_id"]
    assert entry["prompt"][4] == ["2"]
    assert [name for name, _ in entry["status"]["messages"]] == [
        "execution_start",
        "execution_cached",
        "execution_success",
    ]
    (image,) = entry["outputs"]["2"]["images"]
    assert live.get("/view", params=image).content.startswith(b"\x89PNG")


@pytest.mark.parametrize("path", ["/prompt", "/api/prompt"])
@pytest.mark.parametrize("content_type", ["text/plain", "", "application/json"])
def test_json_is_read_whatever_its_content_type(live, path, content_type):
    reply = live.post(path, {"prompt": picture_graph(2)}, headers={"content-type": content_type})
    assert reply.status_code == 200


def test_a_bare_graph_is_a_prompt(live):
    assert live.post("/prompt", picture_graph(3)).status_code == 200


def test_numbers_count_also_for_refused_prompts_and_are_echoed_as_given(live):
    first = live.post("/prompt", {"prompt": picture_graph(4)}).json()["number"]
    assert live.post("/prompt", {"prompt": {}}).status_code == 400
    assert live.post("/prompt", {"prompt": picture_graph(4)}).json()["number"] == first + 2
    assert live.post("/prompt", {"prompt": picture_graph(4), "number": -5}).text.count('"number":-5.0') == 1
    assert live.post("/prompt", {"prompt": picture_graph(4), "front": True}).json()["number"] < 0


def test_converted_values_are_what_runs_and_what_history_shows(live):
    graph = picture_graph("7")
    graph["1"]["inputs"]["width"] = 64.9
    entry = live.run(graph)
    assert entry["prompt"][2]["1"]["inputs"]["color"] == 7
    assert entry["prompt"][2]["1"]["inputs"]["width"] == 64


def test_the_same_id_and_graph_is_the_same_job_also_at_once(live):
    job_id = new_id()
    body = {"prompt": picture_graph(5), "prompt_id": job_id}
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: live.post("/prompt", body), range(32)))
    assert {reply.status_code for reply in replies} == {200}
    assert {reply.json()["prompt_id"] for reply in replies} == {job_id}
    assert len({reply.json()["number"] for reply in replies}) == 1
    live.wait(job_id)
    assert live.post("/prompt", body).json()["prompt_id"] == job_id


def test_the_same_id_with_another_graph_is_a_conflict(live):
    job_id = new_id()
    live.submit(picture_graph(6), prompt_id=job_id)
    reply = live.post("/prompt", {"prompt": picture_graph(7), "prompt_id": job_id})
    assert reply.status_code == 409
    assert reply.json()["error"]["type"] == "prompt_id_conflict"
    assert reply.json()["node_errors"] == {}


def test_an_idempotency_key_makes_one_job(live):
    key = {"Idempotency-Key": new_id()}
    ids = {live.post("/prompt", {"prompt": picture_graph(8)}, headers=key).json()["prompt_id"] for _ in range(3)}
    assert len(ids) == 1


def test_ids_that_are_numbers_become_text(live):
    number = uuid.uuid4().int >> 80
    assert live.post("/prompt", {"prompt": picture_graph(9), "prompt_id": number}).json()["prompt_id"] == str(number)


def test_secrets_are_nowhere_to_be_read(live):
    secret = new_id()
    extra = {"auth_token_comfy_org": secret, "api_key_comfy_org": secret, "api_key": secret, "kept": "yes"}
    job_id = live.submit(picture_graph(10), extra_data=extra)
    assert secret not in live.get("/queue").text
    entry = live.wait(job_id)
    assert secret not in json.dumps(entry)
    assert entry["prompt"][3]["kept"] == "yes"
    assert entry["prompt"][3]["create_time"] > 1_600_000_000_000


def test_an_empty_client_id_is_none(live):
    entry = live.run(picture_graph(13), client_id="", extra_data={"client_id": "of-the-extra-data"})
    assert entry["prompt"][3]["client_id"] == "of-the-extra-data"
    with live.socket() as websocket:
        job_id = live.submit(picture_graph(14), client_id="")
        heard = read_until(websocket, is_left(job_id))
    assert "execution_success" in [message["type"] for message in heard if isinstance(message, dict)]


def test_partial_execution_targets_choose_the_outputs(live):
    graph = {**picture_graph(11), "3": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}}
    entry = live.run(graph, partial_execution_targets=["3"])
    assert list(entry["outputs"]) == ["3"]
    reply = live.post("/prompt", {"prompt": graph, "partial_execution_targets": []})
    assert reply.json()["error"]["type"] == "prompt_no_outputs"


def test_outputs_that_fail_validation_are_left_out_and_the_rest_runs(live):
    graph = {**picture_graph(12), "3": {"class_type": "PreviewImage", "inputs": {}}}
    reply = live.post("/prompt", {"prompt": graph}).json()
    assert reply["node_errors"]["3"]["errors"][0]["type"] == "required_input_missing"
    assert list(live.wait(reply["prompt_id"])["outputs"]) == ["2"]


DEEP = b'{"prompt": ' + b"[" * 5000 + b"]" * 5000 + b"}"
REFUSED = {
    "no JSON": (b"{", "invalid_json"),
    "empty": (b"", "invalid_json"),
    "NaN": (b'{"prompt": {"1": {"class_type": "EmptyImage", "inputs": {"width": NaN}}}}', "invalid_json"),
    "not UTF-8": (b'{"prompt": "\xff\xfe"}', "invalid_json"),
    "deep": (DEEP, "invalid_json"),
    "a list": (b"[1, 2]", "no_prompt"),
    "no prompt": (b'{"client_id": "x"}', "no_prompt"),
    "a number": (b'{"prompt": 7}', None),
    "nodes that are none": (b'{"prompt": {"1": "x"}}', None),
    "unknown class": (b'{"prompt": {"1": {"class_type": "No\\u0000pe", "inputs": {}}}}', "missing_node_type"),
    "no class": (b'{"prompt": {"1": {"inputs": {}}}}', None),
    "class is a list": (b'{"prompt": {"1": {"class_type": ["a"], "inputs": {}}}}', None),
    "no outputs": (b'{"prompt": {}}', "prompt_no_outputs"),
    "number": (json.dumps({"prompt": picture_graph(), "number": {}}).encode(), "invalid_prompt"),
    "infinite number": (json.dumps({"prompt": picture_graph(), "number": "inf"}).encode(), "invalid_prompt"),
    "targets": (json.dumps({"prompt": picture_graph(), "partial_execution_targets": 3}).encode(), "invalid_prompt"),
    "extra data": (json.dumps({"prompt": picture_graph(), "extra_data": [1]}).encode(), "invalid_prompt"),
    "empty id": (json.dumps({"prompt": picture_graph(), "prompt_id": ""}).encode(), "invalid_prompt_id"),
    "long id": (json.dumps({"prompt": picture_graph(), "prompt_id": "x" * 9999}).encode(), "invalid_prompt_id"),
    "NUL in id": (json.dumps({"prompt": picture_graph(), "prompt_id": "a\0b"}).encode(), "invalid_prompt_id"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_body_is_refused_in_comfyuis_shape(live, name):
    body, kind = REFUSED[name]
    reply = live.post("/prompt", body)
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert set(error) == {"type", "message", "details", "extra_info"}
    assert kind is None or error["type"] == kind
    assert isinstance(reply.json()["node_errors"], dict)
    assert len(reply.content) < 20_000


def test_too_many_nodes_and_too_large_bodies_are_refused(live):
    graph = {str(i): {"class_type": "EmptyImage", "inputs": {}} for i in range(20_001)}
    reply = live.post("/prompt", {"prompt": graph})
    assert reply.status_code == 400
    assert "20000" in reply.text
    reply = live.post("/prompt", b" " * (101 << 20))
    assert reply.status_code == 413
    assert reply.json()["error"]["message"] == f"Maximum request body size {100 << 20} exceeded."


def test_values_out_of_range_are_named(live):
    reply = live.post("/prompt", {"prompt": picture_graph(-1)})
    assert reply.status_code == 400
    body = reply.json()
    assert body["error"]["type"] == "prompt_outputs_failed_validation"
    (error,) = body["node_errors"]["1"]["errors"]
    assert error["type"] == "value_smaller_than_min"
    assert error["extra_info"]["received_value"] == -1
    assert body["node_errors"]["1"]["dependent_outputs"] == ["2"]
    assert body["node_errors"]["1"]["class_type"] == "EmptyImage"


async def test_a_class_whose_replacement_is_told_only_when_the_process_is_ready_is_replaced(tmp_path, monkeypatch):
    waits = asyncio.Event()

    async def patient(catalogs, names, timeout_s):
        waits.set()
        await Catalogs.wait_for(catalogs, names, 60)

    monkeypatch.setattr(ImpatientCatalogs, "wait_for", patient)
    graph = picture_graph(5)
    graph["1"]["class_type"] = "EmptyPictureOfOld"
    inputs = [{"new_id": name, "old_id": name} for name in graph["1"]["inputs"]]
    replacement = NodeReplacement("EmptyImage", "EmptyPictureOfOld", input_mapping=inputs)
    async with idle_services(tmp_path) as services:
        submitting = asyncio.create_task(submit_body(services, {"prompt": graph}))
        async with asyncio.timeout(60):
            await waits.wait()
            services.catalogs.update(builtin_interfaces(), [replacement])
            job_id = (await submitting)["prompt_id"]
        (run,) = services.dispatcher.waiting()
        assert run.job.id == job_id
        assert run.class_types == {"EmptyImage", "PreviewImage"}
