"""`POST /api/workflow/parameters`: what can be set in a workflow."""

import json

import pytest

from inglenook.api import normalizing
from tests.api.comfy.test_prompt_formats import UI, png
from tests.api.live import picture_graph

PATH = "/api/workflow/parameters"


@pytest.fixture(autouse=True)
def no_worker_is_waited_for(monkeypatch):
    monkeypatch.setattr(normalizing, "_CATALOG_WAIT_S", 0.01)


@pytest.mark.parametrize(
    "body", [{"workflow": UI}, {"workflow": json.dumps(UI)}, UI, png({"workflow": json.dumps(UI)})]
)
async def test_a_workflow_of_any_format_tells_its_parameters(idle, body):
    reply = await idle.http.post(PATH, content=body if isinstance(body, bytes) else json.dumps(body))
    assert reply.status_code == 200, reply.text
    answer = reply.json()
    assert {one["name"]: (one["key"], one["default"]) for one in answer["parameters"]} == {
        "width": ("1.width", 64),
        "height": ("1.height", 48),
        "batch_size": ("1.batch_size", 1),
        "output_prefix": ("2.filename_prefix", "ui"),
        "empty_image_color": ("1.color", 99),
    }
    assert answer["schema"]["properties"]["width"]["type"] == "integer"
    assert (answer["repairs"], answer["missing"]) == ([], [])


async def test_classes_that_no_worker_has_are_told_with_the_parameters_that_their_nodes_show(idle):
    graph = picture_graph() | {"7": {"class_type": "EmptyImag", "inputs": {"width": 4}}}
    answer = (await idle.http.post(PATH, json={"workflow": graph})).json()
    assert answer["missing"][0]["near_matches"][0] == "EmptyImage"
    assert "7.width" in {one["key"] for one in answer["parameters"]}


async def test_the_route_exists_under_api_alone_and_is_documented(idle):
    assert (await idle.http.post("/workflow/parameters", json={"workflow": UI})).status_code in (404, 405)
    document = (await idle.http.get("/openapi.json")).json()
    operation = document["paths"][PATH]["post"]
    assert {"200", "400", "413"} <= set(operation["responses"])
    assert "parameters" in document["components"]["schemas"]["ParametersModel"]["properties"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b'{"workflow": null}',
        b'{"workflow": "a red circle"}',
        b'{"workflow": NaN}',
        json.dumps({str(index): {"class_type": "A"} for index in range(20_001)}).encode(),
        b'{"workflow": ' + b'{"a":' * 200 + b"1" + b"}" * 201,
        png({}),
    ],
)
async def test_what_is_no_workflow_is_refused(idle, body):
    reply = await idle.http.post(PATH, content=body)
    assert reply.status_code == 400, reply.text
    assert set(reply.json()["error"]) == {"type", "message", "details"}


@pytest.mark.parametrize(
    "node",
    [
        5,
        None,
        {"class_type": 5},
        {"class_type": "KSampler", "inputs": [1]},
        {"class_type": "KSampler", "inputs": {"seed": 1e999, "positive": ["1", 0], "steps": {"a": []}}},
        {"class_type": "KSampler", "inputs": {"positive": ["9", -(2**70)]}, "_meta": {"title": "\0" * 500}},
        {"class_type": "X" * 10_000, "inputs": {"\0" * 300: 10**30, "..": "y"}},
    ],
)
async def test_strange_nodes_are_no_fault_of_the_server(idle, node):
    graph = {"1": node, "9": {"class_type": "EmptyImage", "inputs": {"width": 3}}}
    reply = await idle.http.post(PATH, content=json.dumps({"workflow": graph}))
    assert reply.status_code in (200, 400), reply.text
    if reply.status_code == 200:
        assert "width" in {one["name"] for one in reply.json()["parameters"]}
