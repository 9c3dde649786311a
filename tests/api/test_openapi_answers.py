"""Every answer is one that the OpenAPI document tells: its status, its type, and the shape of its JSON.

All operations are called as their examples say, then with each field and parameter wrong in turn.
"""

from __future__ import annotations

import io
import json
from urllib.parse import quote

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.api.idle import idle_server
from tests.api.json_schema import problem

WRONG = [None, True, -1, 1e300, "", "a\0b", "../x", [[]], {"a": {}}]
"""Values that hardly any field takes; each field gets some of them."""
TRIED = 3
UNKNOWN = "00000000-0000-4000-8000-000000000000"
GRAPH = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0}},
    "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
}
NOT_HERE = {
    "DELETE /api/workers/{name}",
    "DELETE /keys/{key_id}",
    "GET /api/assets/exports/{name}",
    "GET /api/assets/exports/{name}/content",
    "GET /api/audio/{filename}",
    "GET /api/health/ready",
    "GET /api/task/{task_id}/archive",
    "GET /api/tasks/{task_id}",
    "GET /api/video/{filename}",
    "GET /api/webhooks/deliveries/{delivery_id}",
    "GET /api/workers",
    "GET /api/workers/{name}",
    "GET /api/workers/{name}/logs",
    "GET /api/workflow/{filename}/thumbnail",
    "GET /docs/{node}/{path}",
    "GET /experiment/models/preview/{folder}/{path_index}/{filename}",
    "GET /extensions/{pack}/{path}",
    "GET /templates/{path}",
    "GET /view_metadata/{folder}",
    "POST /api/assets/export",
    "POST /api/webhooks/deliveries/{delivery_id}/redeliver",
    "POST /api/workers",
    "POST /api/workers/{name}/drain",
    "POST /api/workers/{name}/resume",
    "POST /keys",
}
"""What has nothing to answer with where no job runs and there are no results, keys, packs, films and other servers."""


@pytest.fixture
async def server(tmp_path):
    async with idle_server(tmp_path, with_assets=True) as idle:
        yield idle


class Caller:
    """Sends requests and holds each answer against the document."""

    def __init__(self, http, document, places):
        self._http, self._document, self._places = http, document, places
        self.problems = []
        self.succeeded = set()

    async def call(self, name, operation, *, query=None, body=None, form=None, in_path=None):
        method, path = name.split()
        address = path
        for one in operation.get("parameters", ()):
            if one["in"] == "path":
                known = self._places.get(f"{path} {one['name']}", self._places.get(one["name"], UNKNOWN))
                address = address.replace(
                    f"{{{one['name']}}}", quote(str(known if in_path is None else in_path), safe="")
                )
        options = {"files": form} if form is not None else {} if body is None else {"json": body[0]}
        # Else the events of a task that waits would be a stream without end
        headers = {"accept": "application/json"}
        reply = await self._http.request(method, address, params=query, headers=headers, **options)
        if reply.status_code < 300:
            self.succeeded.add(name)
        found = self._problem(operation, reply)
        if found is not None:
            self.problems.append(f"{method} {address} {query or ''} {body or ''}: {reply.status_code}: {found}"[:1000])

    def _problem(self, operation, reply):
        if reply.status_code >= 500 and reply.status_code != 503:
            return "the server failed"
        told = operation["responses"].get(str(reply.status_code))
        if told is None:
            return f"{reply.text[:200]} is not told"
        if not reply.content:
            return None
        kind = reply.headers["content-type"].partition(";")[0]
        content = told.get("content", {})
        media = content.get(kind, content.get(f"{kind.partition('/')[0]}/*", content.get("*/*")))
        if media is None:
            return f"{kind} is not told, but {[*content]}"
        is_json = kind == "application/json" and media["schema"].get("format") != "binary"
        return problem(reply.json(), media["schema"], self._document) if is_json else None


async def things(server):
    """Something of each kind, by the parameters in paths that name it."""
    http = server.http
    jobs = [(await http.post("/prompt", json={"prompt": GRAPH})).json()["prompt_id"] for _ in range(4)]
    await http.post(f"/api/task/{jobs[3]}/cancel")
    batch = (await http.post("/api/batch", json={"workflow": GRAPH, "sets": [{}]})).json()["batch_id"]
    asset = (await http.post("/api/assets", files={"file": ("a.png", picture())})).json()
    user = (await http.post("/users", json={"username": "anna"})).json()
    for name in ("own", "plain"):
        await http.post("/api/workflow/upload", json={"name": name, "workflow": GRAPH})
    await http.post("/workflow_templates", json={"name": "own", "workflow": GRAPH})
    await http.post("/userdata/own.json", content=b"{}")
    await http.post("/upload/image", files={"image": ("own.png", picture())}, data={"type": "output"})
    return {
        **dict(zip(("prompt_id", "job_id", "task_id"), jobs, strict=False)),
        "/api/task/{task_id}/retry task_id": jobs[3],
        "batch_id": batch,
        "asset_id": asset["id"],
        "content_hash": asset["hash"],
        "user_id": user,
        "file": "own.json",
        "target": "other.json",
        "setting_id": "Comfy.Theme",
        "name": "own",
        "/api/run/{name} name": "invert.json",
        "filename": "own.json",
        "/api/workflow/{filename} filename": "plain.json",
        "/api/image/{filename} filename": "own.png",
        "/view_metadata/{folder}/{filename} folder": "output",
        "/view_metadata/{folder}/{filename} filename": "own.png",
        "folder": "checkpoints",
        "kind": "output",
        "language": "en",
        "pack": "inglenook",
        "path": "own.json",
        "/outputs/{path} path": "own.png",
        "class_type": "KSampler",
        "version": 1,
        "path_index": 0,
    }


def picture():
    """A PNG file that carries a workflow."""
    file, text = io.BytesIO(), PngInfo()
    text.add_text("prompt", json.dumps(GRAPH))
    Image.new("RGB", (1, 1)).save(file, "png", pnginfo=text)
    return file.getvalue()


def in_order(document):
    """All operations, those that take things away last."""
    found = [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    ending, clearing = ("/rename", "/move/{target}", "/cancel"), ("/queue", "/free", "/interrupt", "/history", "clear")
    return sorted(
        found,
        key=lambda one: (
            one[0].startswith("DELETE") and 100 - len(one[0]),
            one[0].endswith(clearing),
            one[0].endswith(ending),
            one[0],
        ),
    )


EXAMPLES = {
    "GET /view": {"filename": "own.png"},
    "DELETE /workflow_templates": {"name": "plain"},
    "POST /api/assets/from-hash": {},
}


def bodies(operation, places):
    """The JSON example of an operation, and some with one field wrong."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return
    example = content["example"]
    if isinstance(example, dict) and "hash" in example:
        example = {**example, "hash": places["content_hash"]}
    yield example
    if isinstance(example, dict):
        for number, name in enumerate(sorted({*example, *content["schema"].get("properties", {})})):
            for step in range(TRIED):
                yield {**example, name: WRONG[(number * TRIED + step) % len(WRONG)]}
    yield from WRONG


def queries(name, operation):
    """No parameters, and each one wrong in turn."""
    yield EXAMPLES.get(name, {})
    names = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    for number, one in enumerate(names):
        for step in range(TRIED):
            value = WRONG[(number + step * 2) % len(WRONG)]
            yield {one: value if isinstance(value, (str, int, float)) else "null"}


async def test_every_answer_is_one_that_the_document_tells(server):
    document = (await server.http.get("/openapi.json")).json()
    places = await things(server)
    caller = Caller(server.http, document, places)
    for name, operation in in_order(document):
        for query in queries(name, operation):
            await caller.call(name, operation, query=query)
        for body in bodies(operation, places):
            await caller.call(name, operation, body=[body])
        form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
        for field in {} if form is None else form["schema"].get("properties", {}):
            await caller.call(name, operation, form={field: ("a.png", picture())})
            await caller.call(name, operation, form={field: (None, "a\0b")})
        if "{" in name:
            await caller.call(name, operation, in_path="a\0b")
            await caller.call(name, operation, in_path=UNKNOWN)
    assert caller.problems == []
    assert sorted({name for name, _ in in_order(document)} - caller.succeeded) == sorted(NOT_HERE)
