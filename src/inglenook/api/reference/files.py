"""Uploads, results, and what files carry."""

from __future__ import annotations

from typing import Any

from inglenook.api.reference.shapes import (
    FLAG,
    INTEGER,
    NUMBER,
    OPEN,
    TEXT,
    TEXTS,
    a_file,
    gone,
    list_of,
    nullable,
    ok,
    one_of,
    record,
    ref,
    refused,
    told,
)

_FOLDER = one_of("input", "output", "temp")

SCHEMAS: dict[str, Any] = {
    "StoredUpload": record(
        "Where an upload was stored, as nodes name it.",
        {
            "asset": record(
                "The asset that it became; told to clients that send `Comfy-User`.",
                {"size": INTEGER, "mime_type": TEXT},
                id=TEXT,
                name=TEXT,
                asset_hash=nullable(TEXT),
                tags=TEXTS,
            )
        },
        name=told(TEXT, "Another than was sent where that was taken"),
        subfolder=TEXT,
        type=_FOLDER,
    ),
    "FileMetadata": {
        "type": "object",
        "description": "`__metadata__` of a model file, or what a picture, sound or video carries: `workflow` as text,"
        " `prompt` as an object, other keys as they are.",
        "properties": {"prompt": OPEN},
        "additionalProperties": True,
    },
    "OutputFile": record(
        "A result file.",
        {"prompt_id": told(TEXT, "The job in the history that wrote it")},
        filename=TEXT,
        subfolder=TEXT,
        type=one_of("output"),
        kind=TEXT,
        size=told(INTEGER, "Bytes"),
        modified=told(NUMBER, "Seconds since the epoch"),
        url=TEXT,
    ),
    "OutputPage": record(
        "A part of the result files, newest first.",
        outputs=list_of(ref("OutputFile")),
        page=INTEGER,
        limit=INTEGER,
        total=INTEGER,
        has_more=FLAG,
    ),
}

ANSWERS: dict[str, dict[str, Any]] = {
    "POST /upload/image": {**ok(ref("StoredUpload")), **refused(400, 413, 507)},
    "POST /upload/mask": {**ok(ref("StoredUpload")), **refused(400, 413, 507)},
    "GET /view": {**a_file(), **refused(400, 403, 404)},
    "GET /view_metadata/{folder}": {**ok(ref("FileMetadata")), **refused(400, 404)},
    "GET /view_metadata/{folder}/{filename}": {**ok(ref("FileMetadata")), **refused(400, 404)},
    "GET /outputs": {**ok(ref("OutputPage")), **refused(400)},
    "DELETE /outputs/{path}": {**gone("The file is gone"), **refused(400, 404, 409)},
}

EXAMPLES: dict[str, Any] = {}
