"""Every stored workflow in `/openapi.json` and `/docs`: `POST /api/run/{name}` with the parameters of that workflow.

The document is made for each user, when it is asked for and something has changed: the library, the node classes or the
files that choices list. A workflow that has not changed is not read again for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any
from urllib.parse import quote

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.deps import Services, services
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.identity import user_of
from inglenook.api.library_entries import ListedWorkflow
from inglenook.api.openapi_page import security
from inglenook.workflows.parameter import ADVANCED, Parameter
from inglenook.workflows.parameters import schema

MOST_SHOWN = 200
"""Workflows of one user, the newest."""
_MOST_OPTIONS = 200
"""A longer list of choices is left out of the document; `/api/run/{name}/schema` has it."""
_MOST_KEPT = 1000
_MOST_DOCUMENTS = 8
_PICTURE = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""One pixel."""
_GENERAL = "/api/run/{name}"
_PATH = "/openapi.json"


class TypedEndpoints:
    """The OpenAPI document of one app with the workflows of whoever asks."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._documents: OrderedDict[str, tuple[Hashable, bytes]] = OrderedDict()
        """User -> what the document was made of, and its bytes."""
        self._operations: OrderedDict[tuple[str, str, int], tuple[Hashable, dict[str, Any] | None]] = OrderedDict()
        """(user, name, version) -> with what it was read, and the operation; None for one that cannot be read."""
        self._making = asyncio.Lock()

    async def document(self, server: Services, user: str) -> bytes:
        """The document as this user sees it."""
        async with self._making:
            seen = (server.catalogs.current, server.folders.state_token())
            state = (server.library.revision, server.keys.is_needed, *seen)
            kept = self._documents.get(user)
            if kept is None or kept[0] != state:
                found = await self._made(server, user, seen)
                kept = state, await asyncio.to_thread(orjson.dumps, found)
                self._documents[user] = kept
            self._documents.move_to_end(user)
            while len(self._documents) > _MOST_DOCUMENTS:
                self._documents.popitem(last=False)
            return kept[1]

    async def _made(self, server: Services, user: str, seen: Hashable) -> dict[str, Any]:
        document = {**self._app.openapi(), "security": security(is_needed=server.keys.is_needed)}
        paths = document["paths"] = dict(document["paths"])
        general = paths[_GENERAL]["post"]
        same = {
            "parameters": [one for one in general["parameters"] if one["in"] != "path"],
            "responses": general["responses"],
        }
        listed = sorted(await server.library.list_all(user), key=lambda one: -one.updated_ms)
        for one in listed[:MOST_SHOWN]:
            operation = await self._operation(server, user, one, seen)
            if operation is not None:
                paths[f"/api/run/{_in_path(one.name)}"] = {"post": {**operation, **same}}
        return document

    async def _operation(
        self, server: Services, user: str, listed: ListedWorkflow, seen: Hashable
    ) -> dict[str, Any] | None:
        key = (user, listed.name, listed.version if listed.id is not None else 0)
        kept = self._operations.get(key)
        described = (seen, listed.description, listed.id)
        if kept is None or kept[0] != described:
            try:
                opened = await server.library.opened(await server.library.get(user, listed.name))
                kept = described, await asyncio.to_thread(operation_of, listed, opened.parameters)
            except ApiError:  # removed meanwhile, or not readable any more
                kept = described, None
            self._operations[key] = kept
        self._operations.move_to_end(key)
        while len(self._operations) > _MOST_KEPT:
            self._operations.popitem(last=False)
        return kept[1]


def install(app: FastAPI) -> None:
    """Let the app answer its OpenAPI document with the workflows of the user in it."""
    typed = TypedEndpoints(app)

    async def get_openapi(request: Request) -> Response:
        return JSONResponse(await typed.document(services(request), user_of(request)))

    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", "") != _PATH]
    app.add_route(_PATH, get_openapi, include_in_schema=False)


def operation_of(listed: ListedWorkflow, parameters: list[Parameter]) -> dict[str, Any]:
    """What runs a workflow, without answers and headers.

    Parameters with a role by name; the others are in the schema of the workflow.
    """
    shown = [one for one in parameters if one.group != ADVANCED or one.required]
    values = _short(schema(shown))
    return {
        "tags": ["stored workflows"],
        "summary": f"Run {listed.name}",
        "description": _description(listed, len(parameters) - len(shown)),
        "operationId": _operation_id(listed.name),
        "requestBody": {
            "required": bool(values["required"]),
            "content": {
                "application/json": {"schema": _or_null(values), "example": _example(values)},
                "multipart/form-data": {"schema": _as_form(values)},
            },
        },
    }


def _description(listed: ListedWorkflow, hidden: int) -> str:
    text = listed.description or "A stored workflow."
    place = f"/api/run/{quote(listed.name, safe='')}/schema"
    text += '\n\nValues are converted as `/prompt` converts them: `"20"` is 20, and 20 is a text where one is wanted.'
    return f"{text} {hidden} further inputs can be set, see `{place}`." if hidden else text


def _short(values: dict[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in values.items() if key != "$schema"}
    found["properties"] = {name: _short_property(one) for name, one in values["properties"].items()}
    return found


def _example(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that the workflow takes: its own, and for files without one a picture."""
    given = {
        name: one["default"]
        for name, one in values["properties"].items()
        if "default" in one and one["default"] in one.get("enum", (one["default"],))
    }
    return {**given, **{name: _PICTURE for name in values["required"] if name not in given}}


def _short_property(one: Mapping[str, Any]) -> dict[str, Any]:
    # Several parameters have the title of one node: generators would name several types by it.
    one = {key: value for key, value in one.items() if key != "title"}
    if len(one.get("enum", ())) > _MOST_OPTIONS:
        one = {**{key: value for key, value in one.items() if key != "enum"}, "type": "string"}
    return {**one, "minLength": 1} if "x-media" in one else one


def _or_null(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same in JSON, where null leaves the value of the workflow."""
    needed = values["required"]
    properties = {name: one if name in needed else _nullable(one) for name, one in values["properties"].items()}
    return {**values, "properties": properties}


def _nullable(one: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(one)
    if "type" in found:
        found["type"] = [found["type"], "null"]
    if "enum" in found:
        found["enum"] = [*found["enum"], None]
    return found


def _as_form(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a form, where files come as files."""
    properties = {
        name: {**one, "type": "string", "format": "binary"} if "x-media" in one else one
        for name, one in values["properties"].items()
    }
    return {**values, "properties": {name: _without_default(one) for name, one in properties.items()}}


def _without_default(one: Mapping[str, Any]) -> dict[str, Any]:
    """A file has no default that a form could show."""
    return {key: value for key, value in one.items() if key != "default" or "x-media" not in one}


def _in_path(name: str) -> str:
    """A name in a path of the document, where braces mean a parameter."""
    return re.sub(r"[^\w.~-]", lambda match: quote(match[0], safe=""), name)


def _operation_id(name: str) -> str:
    """Unique, and a name in programming languages."""
    word = re.sub(r"[^0-9A-Za-z]+", "_", name.removesuffix(".json")).strip("_")
    digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
    return f"run_{word}_{digest}" if word else f"run_{digest}"
