"""The OpenAPI document says what every route takes and how it refuses."""

import re

import pytest


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


async def test_every_operation_says_how_it_refuses_and_what_it_is(document):
    for name, path, operation in operations(document):
        if path.startswith("/api/run/"):  # of stored workflows: their answers are those of the general route
            continue
        assert {"4XX", "5XX"} <= set(operation["responses"]), name
        assert operation.get("summary"), name


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
