"""The OpenAPI document says what every route takes, what it answers and how it refuses."""

import re

import pytest

from inglenook.api.reference import ANSWERS, EXAMPLES
from tests.api.access.conftest import GIVEN, keyed_server

NO_BODY = {
    "POST /queue",
    "POST /interrupt",
    "POST /free",
    "POST /history",
    "POST /settings",
    "POST /settings/{setting_id}",
    "PATCH /internal/logs/subscribe",
    "GET /api/assets/hash/{content_hash}",
}
"""Answer 200 with nothing."""


@pytest.fixture
async def document(idle):
    return (await idle.http.get("/openapi.json")).json()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", path, operation


async def test_every_path_parameter_is_described(document):
    for name, path, operation in operations(document):
        described = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
        assert described == set(re.findall(r"\{(\w+)\}", path)), name


async def test_every_parameter_says_what_it_is(document):
    silent = [
        f"{name}: {one['name']}"
        for name, _, operation in operations(document)
        for one in operation.get("parameters", ())
        if not one.get("description") or not one["schema"]
    ]
    assert silent == []


async def test_every_operation_says_what_it_is_and_where_it_belongs(document):
    for name, _, operation in operations(document):
        assert operation.get("summary"), name
        assert len(operation.get("tags", ())) == 1, name


async def test_every_operation_lists_how_it_refuses(document):
    for name, path, operation in operations(document):
        answers = operation["responses"]
        refusals = {status: answer for status, answer in answers.items() if status[0] in "45"}
        wanted = {"403"} if path.startswith("/api/health") else {"401", "403", "429", "500", "503"}
        if "requestBody" in operation:
            wanted |= {"400", "413"}
        assert wanted <= set(refusals), name
        for status, answer in refusals.items():
            assert answer["content"]["application/json"]["schema"], f"{name} {status}"


async def test_every_answer_says_what_it_holds(document):
    vague = [
        f"{name} {status}"
        for name, _, operation in operations(document)
        for status, answer in operation["responses"].items()
        if status[0] == "2" and status != "204" and name not in NO_BODY and not _is_specific(answer)
    ]
    assert vague == []


def _is_specific(answer):
    contents = [*answer.get("content", {}).values()]
    return bool(contents) and all(one.get("schema", {}).keys() - {"title"} for one in contents)


async def test_every_body_says_what_it_is_and_json_shows_one_that_works(document):
    for name, _, operation in operations(document):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            assert content["schema"], name
            if kind == "application/json":
                assert "example" in content, name


async def test_answers_and_examples_are_told_of_routes_that_exist(document):
    assert {*ANSWERS, *EXAMPLES} <= {name for name, _, _ in operations(document)}


async def test_every_schema_that_is_named_is_there_and_used(document):
    named = set(re.findall(r'"\$ref":\s*"#/components/schemas/([^"]+)"', str(document).replace("'", '"')))
    assert named == set(document["components"]["schemas"])


async def test_a_key_is_asked_for_where_the_server_needs_one(document, tmp_path):
    assert {} in document["security"]
    async with keyed_server(tmp_path, api_key=GIVEN) as keyed:
        found = (await keyed.get("/openapi.json", GIVEN)).json()
    named = {name for way in found["security"] for name in way}
    assert {} not in found["security"]
    assert named == set(found["components"]["securitySchemes"])
    assert found["paths"]["/api/health/live"]["get"]["security"] == []


async def test_operations_have_names_of_their_own(document):
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))


async def test_routes_of_the_gateway_stand_under_api(document):
    wanted = {"/api/health", "/api/system/info", "/api/nodes", "/api/webhooks/deliveries", "/api/image/{filename}"}
    assert wanted <= set(document["paths"])
    assert {"/health/live", "/metrics"} <= {path.removeprefix("/api") for path in document["paths"]}


async def test_bodies_that_routes_read_themselves_are_described(document):
    paths = document["paths"]
    for name in ("prompt", "queue", "history", "interrupt", "free", "jobs/cancel", "users", "settings", "keys"):
        assert "application/json" in paths[f"/{name}"]["post"]["requestBody"]["content"], name
    assert {"200", "201"} <= set(paths["/api/assets"]["post"]["responses"])
    assert {"200", "202", "409"} <= set(paths["/api/assets/seed"]["post"]["responses"])
