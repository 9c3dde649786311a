"""Stored workflows in the OpenAPI document."""

from __future__ import annotations

from tests.api.gateway.test_workflow_library import DRAWN, PICTURE, store


async def document(idle):
    return (await idle.http.get("/openapi.json")).json()


async def test_a_stored_workflow_has_its_own_operation_with_its_parameters(idle):
    await store(idle, "肖像 {a}.json", DRAWN, description="Draws a face")
    found = (await document(idle))["paths"]["/api/run/肖像%20%7Ba%7D.json"]["post"]
    assert found["summary"] == "Run 肖像 {a}.json"
    assert found["description"].startswith("Draws a face")
    values = found["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert values["positive_prompt"]["default"] == "a hill"
    assert values["steps"]["type"] == ["integer", "null"]
    assert "euler" in values["sampler"]["enum"]


async def test_a_picture_is_a_file_in_a_form(idle):
    found = (await document(idle))["paths"]["/api/run/scale-image.json"]["post"]["requestBody"]
    assert found["required"]
    form = found["content"]["multipart/form-data"]["schema"]
    (image,) = [one for one in form["properties"].values() if one.get("x-media") == "image"]
    assert image["format"] == "binary"


async def test_the_document_follows_every_change_of_the_library(idle):
    before = await document(idle)
    await store(idle)
    assert "/api/run/a.json" in (await document(idle))["paths"]
    await idle.http.post("/api/workflow/a.json/rename", json={"name": "b"})
    renamed = (await document(idle))["paths"]
    assert "/api/run/b.json" in renamed
    assert "/api/run/a.json" not in renamed
    await store(idle, "b.json", DRAWN)
    changed = (await document(idle))["paths"]["/api/run/b.json"]["post"]["requestBody"]["content"]
    assert "steps" in changed["application/json"]["schema"]["properties"]
    await idle.http.delete("/api/workflow/b.json")
    assert await document(idle) == before


async def test_operation_ids_are_unique(idle):
    await store(idle, "图.json")
    await store(idle, "画.json", PICTURE)
    operations = [one for path in (await document(idle))["paths"].values() for one in path.values()]
    ids = [one["operationId"] for one in operations if "operationId" in one]
    assert len(ids) == len(set(ids))


async def test_the_routes_of_the_library_are_described(idle):
    found = (await document(idle))["paths"]
    assert {"/api/workflows", "/api/workflow/{filename}", "/api/workflow/upload", "/api/workflow/update"} <= set(found)
    listed = found["/api/workflows"]["get"]["responses"]
    assert listed["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/WorkflowPage")
