"""Model files and node packs' files."""

from __future__ import annotations

from typing import Any

from inglenook.api.reference.shapes import (
    ANYTHING,
    INTEGER,
    NUMBER,
    OPEN,
    TEXT,
    TEXTS,
    a_file,
    gone,
    in_json,
    list_of,
    map_of,
    nullable,
    ok,
    record,
    ref,
    refused,
    told,
)

_TEMPLATE = {"201": in_json(ref("StoredTemplate"), "There was none of this name")}

SCHEMAS: dict[str, Any] = {
    "ModelFolder": record("A model folder.", name=TEXT, folders=told(TEXTS, "Absolute paths")),
    "ModelFile": record(
        "A model file. Times are seconds since the epoch.",
        name=told(TEXT, "With its subfolders"),
        pathIndex=told(INTEGER, "Which of the paths of the folder it lies in"),
        modified=NUMBER,
        created=NUMBER,
        size=told(INTEGER, "Bytes"),
    ),
    "StoredTemplate": record("A template of the library.", name=TEXT, pack=TEXT, url=TEXT),
    "Subgraph": record(
        "A subgraph that a node pack brings.",
        {"data": told(TEXT, "The workflow as JSON text; where one subgraph is asked for")},
        source=TEXT,
        name=TEXT,
        path=TEXT,
        info=OPEN,
    ),
}

ANSWERS: dict[str, dict[str, Any]] = {
    "GET /embeddings": ok(TEXTS, "Names without extension"),
    "GET /models": {**ok(TEXTS, "Names of folders, or of files"), **refused(404)},
    "GET /models/{folder}": {**ok(TEXTS, "Names of files"), **refused(404)},
    "GET /experiment/models": ok(list_of(ref("ModelFolder"))),
    "GET /experiment/models/{folder}": {**ok(list_of(ref("ModelFile"))), **refused(404)},
    "GET /experiment/models/preview/{folder}/{path_index}/{filename}": {
        **a_file("image/webp", has_parts=False),
        **refused(404),
    },
    "GET /extensions": ok(TEXTS, "Addresses of scripts"),
    "GET /extensions/{pack}/{path}": {**a_file(), **refused(400, 404, 414, 431, 502, 504)},
    "GET /i18n": ok(map_of(map_of(ANYTHING), "Language -> translations")),
    "GET /i18n/{language}": ok(map_of(ANYTHING, "Translations; `{}` when there are none")),
    "GET /workflow_templates": ok(map_of(TEXTS, "Pack -> names of its templates")),
    "POST /workflow_templates": {**_TEMPLATE, **refused(400, 409, 413, 507)},
    "PUT /workflow_templates": {**ok(ref("StoredTemplate"), "It was replaced"), **_TEMPLATE, **refused(400, 413, 507)},
    "PUT /workflow_templates/{name}": {
        **ok(ref("StoredTemplate"), "It was replaced"),
        **_TEMPLATE,
        **refused(400, 413, 507),
    },
    "DELETE /workflow_templates": {**gone(), **refused(400, 404, 413)},
    "DELETE /workflow_templates/{name}": {**gone(), **refused(400, 404)},
    "GET /workflow_templates/{name}": {**ok(told(OPEN, "The workflow")), **refused(400, 404)},
    "GET /workflow_templates/{pack}/{path}": {**a_file("application/json", "image/jpeg", "*/*"), **refused(404)},
    "GET /global_subgraphs": ok(map_of(ref("Subgraph"), "Id -> subgraph")),
    "GET /global_subgraphs/{subgraph_id}": ok(nullable(ref("Subgraph")), "`null` when there is none"),
    "GET /templates/{path}": {**a_file(), **refused(404)},
    "GET /docs/{node}/{path}": {**a_file(), **refused(404)},
}

EXAMPLES: dict[str, Any] = {
    "POST /workflow_templates": {"name": "invert", "workflow": {"nodes": [], "links": [], "version": 0.4}},
    "PUT /workflow_templates": {"name": "invert", "workflow": {"nodes": [], "links": [], "version": 0.4}},
    "PUT /workflow_templates/{name}": {"workflow": {"nodes": [], "links": [], "version": 0.4}},
    "DELETE /workflow_templates": {"name": "invert"},
}
