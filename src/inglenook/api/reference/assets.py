"""The asset library, whose errors have a shape of their own."""

from __future__ import annotations

from typing import Any

from inglenook.api.reference.shapes import (
    ANYTHING,
    FLAG,
    INTEGER,
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
    one_of,
    record,
    ref,
    refused,
    told,
)

_TIME = {"type": "string", "format": "date-time"}
_ASSET: dict[str, Any] = {
    "id": {"type": "string", "format": "uuid"},
    "name": TEXT,
    "tags": told(TEXTS, "The first says where the file is: `models`, `input`, `output` or `temp`"),
    "user_metadata": OPEN,
    "loader_path": told(TEXT, "As a loader node names it"),
    "created_at": _TIME,
    "updated_at": _TIME,
}
_MAYBE: dict[str, Any] = {
    "hash": {"type": "string", "pattern": "^blake3:[0-9a-f]{64}$"},
    "size": told(INTEGER, "Bytes"),
    "mime_type": TEXT,
    "preview_url": TEXT,
    "preview_id": TEXT,
    "metadata": OPEN,
    "job_id": TEXT,
    "prompt_id": told(TEXT, "The job that made it"),
    "last_access_time": _TIME,
}
_PROGRESS = nullable(
    record(
        "Files of the scan.",
        scanned=INTEGER,
        total=INTEGER,
        created=INTEGER,
        skipped=told(INTEGER, "Known already"),
        missing=INTEGER,
        hashed=INTEGER,
    )
)

SCHEMAS: dict[str, Any] = {
    "Asset": record("A file that the library knows.", _MAYBE, **_ASSET),
    "StoredAsset": record("An asset that was stored.", _MAYBE, **_ASSET, created_new=FLAG),
    "AssetPage": record(
        "A part of the assets.",
        {"next_cursor": told(TEXT, "`after` of the next page")},
        assets=list_of(ref("Asset")),
        total=INTEGER,
        has_more=FLAG,
    ),
    "TagPage": record(
        "Tags and how many assets have each.",
        tags=list_of(record("", name=TEXT, count=INTEGER)),
        total=INTEGER,
        has_more=FLAG,
    ),
    "AssetExport": record(
        "An archive of assets, as the editor asks for it.",
        id=TEXT,
        idempotency_key=TEXT,
        task_name=one_of("asset_export"),
        status=one_of("completed"),
        payload=OPEN,
        result=record(
            "",
            export_name=told(TEXT, "For `/api/assets/exports/{name}`"),
            assets_total=INTEGER,
            assets_attempted=INTEGER,
            assets_failed=INTEGER,
            bytes_total=INTEGER,
            bytes_processed=INTEGER,
            progress=INTEGER,
        ),
        create_time=_TIME,
        started_at=_TIME,
        completed_at=_TIME,
        update_time=_TIME,
    ),
    "AssetRefusal": record(
        "How errors about assets are answered.",
        error=record("", code=told(TEXT, "Such as `ASSET_NOT_FOUND`"), message=TEXT, details=map_of(ANYTHING)),
    ),
}


def _refused(*statuses: int) -> dict[str, Any]:
    return refused(*statuses, schema="AssetRefusal")


ANSWERS: dict[str, dict[str, Any]] = {
    "GET /api/assets": {**ok(ref("AssetPage")), **_refused(400)},
    "POST /api/assets": {
        **ok(ref("StoredAsset"), "The content was there already"),
        "201": in_json(ref("StoredAsset"), "The asset is new"),
        **_refused(400, 404, 413, 507),
    },
    "POST /api/assets/from-hash": {
        **ok(ref("StoredAsset"), "There was such an asset already"),
        "201": in_json(ref("StoredAsset"), "The asset is new"),
        **_refused(400, 404, 413),
    },
    "GET /api/assets/{asset_id}": {**ok(ref("Asset")), **_refused(404)},
    "PUT /api/assets/{asset_id}": {**ok(ref("Asset")), **_refused(400, 403, 404, 413)},
    "DELETE /api/assets/{asset_id}": {**gone("It has left the library"), **_refused(403, 404)},
    "GET /api/assets/{asset_id}/content": {**a_file(), **_refused(400, 404, 412, 416)},
    "GET /api/assets/hash/{content_hash}": {"200": {"description": "There is one"}, **_refused(400, 404)},
    "POST /api/assets/{asset_id}/tags": {
        **ok(record("", added=TEXTS, already_present=TEXTS, total_tags=TEXTS)),
        **_refused(400, 404, 413),
    },
    "DELETE /api/assets/{asset_id}/tags": {
        **ok(record("", removed=TEXTS, not_present=TEXTS, total_tags=TEXTS)),
        **_refused(400, 403, 404, 413),
    },
    "GET /api/tags": {**ok(ref("TagPage")), **_refused(400)},
    "GET /api/assets/tags/refine": {**ok(record("", tag_counts=map_of(INTEGER, "Tag -> assets"))), **_refused(400)},
    "POST /api/assets/seed": {
        **ok(
            record("", status=one_of("completed"), progress=_PROGRESS, errors=list_of(ANYTHING)),
            "With `wait`, the scan has ended",
        ),
        "202": in_json(record("", status=one_of("started")), "The scan has begun"),
        "409": in_json(record("", status=one_of("already_running")), "A scan is under way"),
        **_refused(400, 413),
    },
    "GET /api/assets/seed/status": ok(
        record(
            "This scan or the last one.",
            state=one_of("IDLE", "RUNNING", "CANCELLING"),
            progress=_PROGRESS,
            errors=list_of(ANYTHING),
        )
    ),
    "POST /api/assets/seed/cancel": ok(record("", status=one_of("cancelling", "idle"))),
    "POST /api/assets/prune": ok(record("", status=one_of("completed"), marked=INTEGER)),
    "POST /api/assets/export": {
        "202": in_json(record("", task_id=TEXT, status=one_of("created")), "The archive can be fetched"),
        **_refused(400, 404, 413),
    },
    "GET /api/tasks/{task_id}": {**ok(ref("AssetExport")), **refused(404)},
    "GET /api/assets/exports/{name}": {**ok(record("", url=told(TEXT, "Below `/api`"))), **_refused(404)},
    "GET /api/assets/exports/{name}/content": {**a_file(), **_refused(404)},
}

_HASH = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"

EXAMPLES: dict[str, Any] = {
    "POST /api/assets/from-hash": {"hash": _HASH, "tags": ["input"]},
    "PUT /api/assets/{asset_id}": {"name": "portrait.png", "tags": ["favourite"]},
    "POST /api/assets/{asset_id}/tags": {"tags": ["favourite"]},
    "DELETE /api/assets/{asset_id}/tags": {"tags": ["favourite"]},
    "POST /api/assets/export": {"job_ids": ["0b6a5e0c-8a5c-4d5a-9a35-3c2f7d1f2f5e"], "naming_strategy": "preserve"},
    "POST /api/assets/seed": {"roots": ["input", "output"]},
}
