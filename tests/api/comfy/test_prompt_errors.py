"""What `POST /prompt` says of graphs that cannot run: every kind of refusal, in ComfyUI's words."""

import json

import pytest

from tests.api.idle import idle_server

IMAGE = ["IMAGE"]


def picture(**inputs):
    return {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0, **inputs}}


def preview(link):
    return {"class_type": "PreviewImage", "inputs": {"images": link}}


def inverted(link):
    return {"class_type": "ImageInvert", "inputs": {"image": link}}


LATENT = {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}
WIDTH = ["INT", {"default": 512, "min": 1, "max": 16384, "step": 1}]
RESIZED = {
    "class_type": "ImageScale",
    "inputs": {"image": ["1", 0], "upscale_method": "no", "width": 8, "height": 8, "crop": "disabled"},
}
METHODS = ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]


async def refusal(idle, body):
    content = body if isinstance(body, bytes) else json.dumps(body)
    return refused(await idle.http.post("/prompt", content=content))


def refused(reply):
    assert reply.status_code == 400, reply.text
    answer = reply.json()
    assert list(answer) == ["error", "node_errors"]
    assert list(answer["error"]) == ["type", "message", "details", "extra_info"]
    return answer


@pytest.mark.parametrize(
    ("body", "kind", "message", "details", "extra_info"),
    [
        ({"client_id": "x"}, "no_prompt", "No prompt provided", "No prompt provided", {}),
        ({"prompt": {}}, "prompt_no_outputs", "Prompt has no outputs", "", {}),
        ({"prompt": {"1": picture()}}, "prompt_no_outputs", "Prompt has no outputs", "", {}),
        (
            {"prompt": {"1": picture(), "2": preview(["1", 0])}, "partial_execution_targets": ["1", "9"]},
            "prompt_no_outputs",
            "Prompt has no outputs",
            "",
            {},
        ),
        (
            {"prompt": {"1": {"inputs": {}}}},
            "missing_node_type",
            "Node 'ID #1' has no class_type. The workflow may be damaged, or not in API format.",
            "Node ID '#1'",
            {"node_id": "1", "class_type": None, "node_title": None},
        ),
        (
            {"prompt": {"1": {"class_type": "Nope", "inputs": {}, "_meta": {"title": "Mine"}}}},
            "missing_node_type",
            "Node 'Mine' not found. The node pack that provides it may not be installed.",
            "Node ID '#1'",
            {"node_id": "1", "class_type": "Nope", "node_title": "Mine"},
        ),
        (
            {"prompt": {"1": {"class_type": "Nope", "inputs": {}}}},
            "missing_node_type",
            "Node 'Nope' not found. The node pack that provides it may not be installed.",
            "Node ID '#1'",
            {"node_id": "1", "class_type": "Nope", "node_title": None},
        ),
    ],
)
def test_a_prompt_as_a_whole_is_refused(live, body, kind, message, details, extra_info):
    assert refused(live.post("/prompt", body)) == {
        "error": {"type": kind, "message": message, "details": details, "extra_info": extra_info},
        "node_errors": {},
    }


REASONS = {
    "no input": (
        {"2": {"class_type": "PreviewImage", "inputs": {}}},
        "2",
        ("required_input_missing", "Required input is missing", "images"),
        {"input_name": "images"},
    ),
    "no link": (
        {"2": preview(["1", 0, 1])},
        "2",
        ("bad_linked_input", "Bad linked input, must be a length-2 list of [node_id, slot_index]", "images"),
        {"input_name": "images", "input_config": IMAGE, "received_value": ["1", 0, 1]},
    ),
    "another type": (
        {"1": LATENT, "2": preview(["1", 0])},
        "2",
        (
            "return_type_mismatch",
            "Return type mismatch between linked nodes",
            "images, received_type(LATENT) mismatch input_type(IMAGE)",
        ),
        {"input_name": "images", "input_config": IMAGE, "received_type": "LATENT", "linked_node": ["1", 0]},
    ),
    "no number": (
        {"1": picture(width="x"), "2": preview(["1", 0])},
        "1",
        (
            "invalid_input_type",
            "Failed to convert an input value to a INT value",
            "width, x, invalid literal for int() with base 10: 'x'",
        ),
        {
            "input_name": "width",
            "input_config": WIDTH,
            "received_value": "x",
            "exception_message": "invalid literal for int() with base 10: 'x'",
        },
    ),
    "too small": (
        {"1": picture(width=0), "2": preview(["1", 0])},
        "1",
        ("value_smaller_than_min", "Value 0 smaller than min of 1", "width"),
        {"input_name": "width", "input_config": WIDTH, "received_value": 0},
    ),
    "too big": (
        {"1": picture(width=20000), "2": preview(["1", 0])},
        "1",
        ("value_bigger_than_max", "Value 20000 bigger than max of 16384", "width"),
        {"input_name": "width", "input_config": WIDTH, "received_value": 20000},
    ),
    "no choice": (
        {"1": picture(), "3": RESIZED, "2": preview(["3", 0])},
        "3",
        ("value_not_in_list", "Value not in list", f"upscale_method: 'no' not in {METHODS}"),
        {"input_name": "upscale_method", "input_config": [METHODS], "received_value": "no"},
    ),
    "no choice of many": (
        {"1": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "no"}}, "2": preview(["1", 0])},
        "1",
        ("value_not_in_list", "Value not in list", "sampler_name: 'no' not in (list of length 42)"),
        {"input_name": "sampler_name", "input_config": None, "received_value": "no"},
    ),
    "refused by its validator": (
        {"1": {"class_type": "LoadImage", "inputs": {"image": "none.png"}}, "2": preview(["1", 0])},
        "1",
        (
            "custom_validation_failed",
            "Custom validation failed for node",
            "image - Invalid image file: none.png",
        ),
        {"input_name": "image"},
    ),
    "a link to nothing, further up": (
        {"1": inverted(["77", 0]), "2": preview(["1", 0])},
        "1",
        ("exception_during_inner_validation", "Exception when validating inner node", "'77'"),
        {
            "input_name": "images",
            "input_config": IMAGE,
            "exception_message": "'77'",
            "exception_type": "KeyError",
            "traceback": [],
            "linked_node": ["1", 0],
        },
    ),
    "a link to nothing": (
        {"2": preview(["77", 0])},
        "2",
        ("exception_during_validation", "Exception when validating node", "'77'"),
        {"exception_type": "KeyError", "traceback": []},
    ),
    "no such slot": (
        {"1": picture(), "2": preview(["1", 5])},
        "2",
        (
            "exception_during_validation",
            "Exception when validating node",
            "tuple index out of range: node 1 (EmptyImage) has 1 outputs, no slot 5",
        ),
        {"exception_type": "IndexError", "traceback": []},
    ),
    "no inputs at all": (
        {"2": {"class_type": "PreviewImage"}},
        "2",
        ("exception_during_validation", "Exception when validating node", "'inputs'"),
        {"exception_type": "KeyError", "traceback": []},
    ),
    "a circle": (
        {"1": inverted(["3", 0]), "3": inverted(["1", 0]), "2": preview(["1", 0])},
        "1",
        ("dependency_cycle", "Dependency cycle detected", "1 (ImageInvert) -> 3 (ImageInvert) -> 1 (ImageInvert)"),
        {"node_id": "1", "cycle_nodes": ["1", "3"]},
    ),
}


@pytest.mark.parametrize("name", REASONS)
async def test_a_node_is_named_with_the_reason(idle, name):
    graph, node_id, (kind, message, details), extra_info = REASONS[name]
    answer = await refusal(idle, {"prompt": graph})
    assert answer["error"]["type"] == "prompt_outputs_failed_validation"
    assert answer["error"]["message"] == "Prompt outputs failed validation"
    node = answer["node_errors"][node_id]
    assert node["errors"] == [{"type": kind, "message": message, "details": details, "extra_info": extra_info}]
    assert node["dependent_outputs"] == ["2"]
    assert node["class_type"] == graph[node_id]["class_type"]
    # The details of the whole are those of the outputs themselves, none when the fault lies further up.
    if node_id == "2":
        assert answer["error"]["details"] == f"{message}: {details}"
    elif "2" not in answer["node_errors"]:
        assert answer["error"]["details"] == ""


async def test_inputs_that_nobody_knows_are_ignored(idle):
    graph = {"1": picture(unknown={"a": [1]}), "2": preview(["1", 0])}
    reply = await idle.http.post("/prompt", json={"prompt": graph})
    assert reply.status_code == 200


async def test_many_outputs_on_one_broken_link_are_refused_in_time(idle):
    graph = {f"out{index}": preview(["1", 0]) for index in range(19_999)}
    answer = await refusal(idle, {"prompt": {"1": inverted(["77", 0]), **graph}})
    assert list(answer["node_errors"]) == ["1"]
    assert len(answer["node_errors"]["1"]["dependent_outputs"]) == 19_999


async def test_one_node_too_many_is_refused(idle):
    graph = {str(index): picture() for index in range(19_999)}
    answer = await refusal(idle, {"prompt": {**graph, "a": preview(["1", 0]), "b": preview(["1", 0])}})
    assert "20000" in answer["error"]["message"] + answer["error"]["details"]


GOOD = {"1": picture(), "2": preview(["1", 0])}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (b'"number": NaN', "invalid_json"),
        (b'"number": Infinity', "invalid_json"),
        (b'"number": 1e400', "invalid_json"),
        (b'"number": "NaN"', "invalid_prompt"),
        (b'"number": "1e400"', "invalid_prompt"),
        (b'"number": [5]', "invalid_prompt"),
        (b'"number": {}', "invalid_prompt"),
        (b'"client_id": "\\ud800"', "invalid_json"),
        (b'"prompt_id": "a\\u0000b"', "invalid_prompt_id"),
        (b'"prompt_id": ""', "invalid_prompt_id"),
        (b'"partial_execution_targets": 5', "invalid_prompt"),
        (b'"partial_execution_targets": "2"', "invalid_prompt"),
        (b'"partial_execution_targets": {"2": 1}', "invalid_prompt"),
        (b'"partial_execution_targets": [[1], {"a": 2}, null, 3.5]', "prompt_no_outputs"),
        (b'"extra_data": 5', "invalid_prompt"),
        (b'"extra_data": "x"', "invalid_prompt"),
        (b'"extra_data": []', "invalid_prompt"),
    ],
)
async def test_a_field_of_the_wrong_kind_is_refused(idle, fields, kind):
    answer = await refusal(idle, b'{"prompt": %b, %b}' % (json.dumps(GOOD).encode(), fields))
    assert answer["error"]["type"] == kind


@pytest.mark.parametrize(
    "fields",
    [
        {"front": "yes"},
        {"front": []},
        {"front": {"a": 1}},
        {"number": "5"},
        {"number": True},
        {"number": 10**30},
        {"number": None},
        {"client_id": 5},
        {"client_id": {"a": [1]}},
        {"client_id": "a\0b"},
        {"client_id": "c" * 100_000},
        {"prompt_id": None},
        {"prompt_id": 1.5},
        {"prompt_id": {"a": 1}},
        {"prompt_id": "../../etc/passwd"},
        {"extra_data": {"extra_pnginfo": 5}},
        {"extra_data": {"extra_pnginfo": {"workflow": [1]}}},
        {"extra_data": {"extra_pnginfo": {"workflow": {"id": {"a": 1}}}}},
        {"extra_data": {"client_id": ["x"], "create_time": "never", "n": 10**40}},
        {"extra_data": None},
        {"partial_execution_targets": ["2", 2, None]},
    ],
)
async def test_what_can_be_understood_is_accepted_and_listed(idle, fields):
    reply = await idle.http.post("/prompt", content=json.dumps({"prompt": GOOD, **fields}))
    assert reply.status_code == 200, reply.text
    job_id = reply.json()["prompt_id"]
    if "prompt_id" in fields and fields["prompt_id"] is not None:
        assert job_id == str(fields["prompt_id"])
    queue = (await idle.http.get("/queue")).json()["queue_pending"]
    (item,) = [item for item in queue if item[1] == job_id]
    assert item[4] == ["2"]
    if "client_id" in fields:
        assert item[3]["client_id"] == str(fields["client_id"])
    listed = (await idle.http.get("/api/jobs")).json()["jobs"]
    assert [job["status"] for job in listed if job["id"] == job_id] == ["pending"]
    await idle.http.post("/queue", json={"delete": [job_id]})


async def test_the_source_of_a_prompt_is_that_of_its_header(idle):
    headers = {"comfy-usage-source": "a-client"}
    for extra, expected in (({}, "a-client"), ({"comfy_usage_source": "its own"}, "its own")):
        body = {"prompt": GOOD, "extra_data": extra}
        job_id = (await idle.http.post("/prompt", json=body, headers=headers)).json()["prompt_id"]
        entry = (await idle.http.get(f"/api/jobs/{job_id}")).json()
        assert entry["workflow"]["extra_data"]["comfy_usage_source"] == expected


async def test_a_queue_of_too_many_bytes_takes_no_more(tmp_path):
    async with idle_server(tmp_path, queue_limit_mb=0.1) as idle:
        body = {"prompt": GOOD, "extra_data": {"note": "x" * 70_000}}
        first = (await idle.http.post("/prompt", json=body)).json()["prompt_id"]
        reply = await idle.http.post("/prompt", json=body)
        assert reply.status_code == 429
        assert reply.headers["retry-after"]
        assert reply.json()["error"]["type"] == "queue_full"
        assert "0.1 MB" in reply.json()["error"]["message"]
        assert (await idle.http.post("/prompt", json={"prompt": GOOD})).status_code == 200
        await idle.http.post("/queue", json={"delete": [first]})
        assert (await idle.http.post("/prompt", json=body)).status_code == 200
        (entry,) = [item for item in (await idle.http.get("/queue")).json()["queue_pending"] if "note" in item[3]]
        assert len(entry[3]["note"]) == 70_000
