"""Users, what the editor keeps for each, and their files."""

from __future__ import annotations

from typing import Any

from inglenook.api.reference.shapes import (
    ANYTHING,
    FLAG,
    INTEGER,
    NUMBER,
    TEXT,
    TEXTS,
    a_file,
    empty,
    gone,
    in_json,
    list_of,
    map_of,
    ok,
    one_of,
    record,
    ref,
    refused,
    told,
)

_NOBODY = refused(401)
"""A user that is not known, where the server tells its users apart."""
_STORED = ok(
    {"anyOf": [TEXT, ref("UserFile")]}, "Its path, relative to the user's folder; with `full_info`, size and times, too"
)

SCHEMAS: dict[str, Any] = {
    "UserList": record(
        "Who uses the server.",
        {
            "users": map_of(TEXT, "Id -> name; where the server tells its users apart"),
            "migrated": told(FLAG, "Whether the one user has a folder yet"),
        },
        storage=one_of("server"),
    ),
    "UserFile": record(
        "A file of a user. Times are milliseconds since the epoch.",
        path=TEXT,
        size=told(INTEGER, "Bytes"),
        modified=INTEGER,
        created=INTEGER,
    ),
    "UserTreeEntry": record(
        "A file or folder of a user.",
        {"size": told(INTEGER, "Bytes, of a file"), "modified": told(NUMBER, "Seconds since the epoch, of a file")},
        name=TEXT,
        path=told(TEXT, "Relative to the user's folder"),
        type=one_of("directory", "file"),
    ),
}

ANSWERS: dict[str, dict[str, Any]] = {
    "GET /users": ok(ref("UserList")),
    "POST /users": {
        **ok(told(TEXT, "The id of the new user")),
        "400": in_json({"anyOf": [ref("ErrorText"), ref("Refusal")]}, "The name is taken, empty, or no text"),
        **refused(413, 507),
    },
    "DELETE /users/{user_id}": {
        **gone("No user any more; the files stay"),
        **refused(400, schema="ErrorText"),
        **refused(404),
    },
    "GET /settings": {**ok(map_of(ANYTHING, "Setting -> value")), **_NOBODY},
    "POST /settings": {**empty(), **_NOBODY, **refused(400, 413, 507)},
    "GET /settings/{setting_id}": {**ok(ANYTHING, "Its value, `null` when it was never set"), **_NOBODY},
    "POST /settings/{setting_id}": {**empty(), **_NOBODY, **refused(400, 413, 507)},
    "GET /userdata": {
        **ok(
            {"anyOf": [TEXTS, list_of(TEXTS), list_of(ref("UserFile"))]},
            "Names; with `split` lists of the name and its parts, with `full_info` objects",
        ),
        **_NOBODY,
        **refused(400, 403, 404),
    },
    "POST /userdata": {**_STORED, **_NOBODY, **refused(400, 403, 409, 413, 507)},
    "GET /v2/userdata": {**ok(list_of(ref("UserTreeEntry"))), **refused(400, 403, 404)},
    "GET /userdata/{file}": {**a_file(), **_NOBODY, **refused(400, 403, 404)},
    "POST /userdata/{file}": {**_STORED, **_NOBODY, **refused(400, 403, 409, 413, 507)},
    "DELETE /userdata/{file}": {**gone("The file is gone"), **_NOBODY, **refused(400, 403, 404)},
    "POST /userdata/{file}/move/{target}": {**_STORED, **_NOBODY, **refused(400, 403, 404, 409)},
}

EXAMPLES: dict[str, Any] = {
    "POST /users": {"username": "bob"},
    "POST /settings": {"Comfy.ColorPalette": "dark"},
    "POST /settings/{setting_id}": "dark",
    "POST /userdata": {"path": "workflows/a.json", "content": {"nodes": [], "links": [], "version": 0.4}},
}
