"""What the server is and has: statistics, node classes, flags, logs, figures, keys."""

from __future__ import annotations

from typing import Any

from inglenook.api.reference.shapes import (
    ANYTHING,
    FLAG,
    INTEGER,
    NUMBER,
    OPEN,
    TEXT,
    TEXTS,
    empty,
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

_KEY: dict[str, Any] = {
    "id": TEXT,
    "name": TEXT,
    "scope": one_of("read", "run", "admin"),
    "user": nullable(TEXT),
    "created": told(nullable(TEXT), "ISO 8601; null for keys of the settings"),
    "last_used": nullable(TEXT),
    "revoked": nullable(TEXT),
}

SCHEMAS: dict[str, Any] = {
    "SystemStats": record(
        "Versions, memory and devices.",
        system=record(
            "",
            {
                "required_frontend_version": nullable(TEXT),
                "installed_templates_version": nullable(TEXT),
                "required_templates_version": nullable(TEXT),
                "comfy_package_versions": list_of(
                    record("", name=TEXT, installed=nullable(TEXT), required=nullable(TEXT))
                ),
                "deploy_environment": TEXT,
            },
            os=TEXT,
            ram_total=INTEGER,
            ram_free=INTEGER,
            comfyui_version=told(TEXT, "The version whose API this is"),
            inglenook_version=TEXT,
            python_version=TEXT,
            pytorch_version=TEXT,
            embedded_python=FLAG,
            argv=TEXTS,
            custom_nodes=list_of(
                record(
                    "A node pack.",
                    name=TEXT,
                    classes=INTEGER,
                    import_seconds=NUMBER,
                    error=nullable(TEXT),
                    warnings=TEXTS,
                )
            ),
        ),
        devices=list_of(
            record(
                "A device. Sizes are bytes.",
                {"worker": told(TEXT, "Whose it is, where there are several")},
                name=TEXT,
                type=TEXT,
                index=nullable(INTEGER),
                vram_total=INTEGER,
                vram_free=INTEGER,
                torch_vram_total=INTEGER,
                torch_vram_free=INTEGER,
            )
        ),
    ),
    "NodeClass": {
        "type": "object",
        "description": "The interface of a node class.",
        "properties": {
            "input": told(
                map_of(map_of(ANYTHING)), "`required`, `optional`, `hidden` -> input -> `[type]` or `[type, options]`"
            ),
            "input_order": map_of(TEXTS, "The same sections -> names in order"),
            "output": told(list_of({"anyOf": [TEXT, list_of(ANYTHING)]}), "Types; of a choice, its options"),
            "output_name": TEXTS,
            "output_is_list": list_of(FLAG),
            "output_tooltips": list_of(nullable(TEXT)),
            "name": TEXT,
            "display_name": nullable(TEXT),
            "description": nullable(TEXT),
            "category": TEXT,
            "python_module": TEXT,
            "output_node": FLAG,
        },
        "additionalProperties": True,
    },
    "NodeReplacement": record(
        "A class that takes the place of another.",
        new_node_id=TEXT,
        old_node_id=TEXT,
        old_widget_ids=nullable(TEXTS),
        input_mapping=nullable(list_of(OPEN)),
        output_mapping=nullable(list_of(OPEN)),
    ),
    "LogLines": record(
        "The last log lines.",
        entries=list_of(record("", t=told(TEXT, "ISO 8601"), m=TEXT)),
        size=record("", cols=INTEGER, rows=INTEGER),
    ),
    "ApiKey": record("A key. Times are ISO 8601.", **_KEY),
    "ApiKeys": record("All keys, without their texts.", keys=list_of(ref("ApiKey"))),
    "NewApiKey": record("A key with its text.", **_KEY, key=told(TEXT, "Shown only now")),
}

ANSWERS: dict[str, dict[str, Any]] = {
    "GET /system_stats": ok(ref("SystemStats")),
    "GET /object_info": {
        **ok(map_of(ref("NodeClass"), "Class -> interface")),
        "304": {"description": "The client has it already"},
    },
    "GET /object_info/{class_type}": ok(map_of(ref("NodeClass")), "`{class: interface}`, `{}` for an unknown class"),
    "GET /node_replacements": ok(map_of(list_of(ref("NodeReplacement")), "Old class -> replacements")),
    "GET /features": ok(map_of(ANYTHING, "Flag -> value, such as `max_upload_size` in bytes")),
    "GET /internal/folder_paths": ok(map_of(TEXTS, "Model folder -> absolute paths")),
    "GET /internal/files/{kind}": {**ok(TEXTS, "Names, the newest first"), **refused(400, schema="ErrorText")},
    "GET /internal/logs": ok(TEXT, "Lines `<ISO time> - <message>`"),
    "GET /internal/logs/raw": ok(ref("LogLines")),
    "PATCH /internal/logs/subscribe": {**empty("Done, also for an id without a socket"), **refused(400, 413)},
    "GET /keys": ok(ref("ApiKeys")),
    "POST /keys": {"201": in_json(ref("NewApiKey"), "The key is made"), **refused(400, 413, 507)},
    "DELETE /keys/{key_id}": {**gone("It is revoked"), **refused(404)},
}

EXAMPLES: dict[str, Any] = {
    "POST /keys": {"name": "laptop", "scope": "run"},
    "PATCH /internal/logs/subscribe": {"clientId": "my-client", "enabled": True},
}
