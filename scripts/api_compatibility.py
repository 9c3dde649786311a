"""Writes `docs/api-compatibility.md` from the routes of the server; `--check` says whether it is up to date.

What ComfyUI's API has stands in `tests/data/comfyui_routes.json`; where our answer differs, NOTES says how.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from inglenook.api.app import bare_routes, route_table

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "api-compatibility.md"
COMFYUI = ROOT / "tests" / "data" / "comfyui_routes.json"

SECTIONS = {
    "websocket": "WebSocket",
    "2.1": "Running workflows",
    "2.2": "Queue",
    "2.3": "History",
    "2.4": "Jobs",
    "3.1": "Files",
    "4.1": "Server and nodes",
    "4.4": "Models",
    "4.5": "Extensions, templates, translations",
    "5": "Users, settings, user data",
    "6": "Internal routes of the editor",
    "7": "Assets",
}
HEAD = """# API compatibility

Every route of ComfyUI's API with its state here, and the routes that inglenook adds. `scripts/api_compatibility.py`
writes this page from the routes themselves; a test compares the two.

Every route exists bare and under `/api`, with these exceptions. Only under `/api`: {under_api}, and what is listed so
among inglenook's own. Only bare: {bare}.

`HEAD` works wherever `GET` does, `OPTIONS` everywhere. Bad input is answered with ComfyUI's status code;
where ComfyUI would answer 500, or a text, with a JSON error instead: `{{"error": {{"type", "message", "details"}}}}`.
"""

NOTES = {
    "GET /ws": "Also replays what a client that comes late has missed, for 60 s after a job's end; `task_update` for"
    " plain clients; `execute` submits.",
    "POST /prompt": "Also a bare graph, a UI-format workflow, a plain string; repairs are listed under `repairs`;"
    " repeated `prompt_id`: the same job, or 409. 429 when the queue is full. A file may be named by the hash of its"
    " asset, `blake3:<hex>`.",
    "GET /queue": "Pending jobs come sorted. Secrets are never shown.",
    "GET /history": "At most the newest 10,000. Kept over restarts.",
    "POST /free": "`interrupt` and `clear_queue` are understood too.",
    "POST /upload/mask": "With `image` alone it is `/upload/image`.",
    "GET /view": "Active content is sent as a download. `channel=alpha` and `preview=png` work.",
    "GET /view_metadata/{folder}": "Also of saved pictures, sound and video: `/view_metadata/{type}/{filename}`.",
    "GET /models": "`?type=` and `?name=` list and filter the files of a folder.",
    "POST /users": "Works in single-user mode too.",
    "GET /userdata": "Without `dir`: all files of the user. `POST /userdata` stores a form or JSON.",
    "GET /userdata/{file}": "Always a download that no page can run, but for `user.css`.",
    "GET /": "A page that leads to the editor, which is always at `/editor/`; with `--front-end editor` the editor.",
    "GET /workflow_templates": "The server's own library stands among the packs as `inglenook`; `POST`, `PUT` and"
    " `DELETE` change it.",
}
"""Where an answer of ours is more than ComfyUI's."""


def render() -> str:
    """Return the page."""
    ours = {
        (method, path_key(route.path)): route
        for route in route_table()
        for method in sorted(route.methods or ())
        if not (method == "HEAD" and "GET" in (route.methods or ()))
    }
    shown = set()
    contract = [(method, path, section) for method, path, section in json.loads(COMFYUI.read_text())]
    comfyuis = {(method, path_key(path)) for method, path, _ in contract}
    known = {route.path for (method, key), route in ours.items() if (method, key) in comfyuis}
    under_api = [path.removeprefix("/api") for path in known if path.startswith("/api/")]
    parts = [HEAD.format(bare=roots_of(bare_routes()), under_api=roots_of(under_api))]
    unknown = set(NOTES) - {f"{method} {path}" for method, path, _ in contract}
    if unknown:
        raise ValueError(f"notes on routes that ComfyUI does not have: {sorted(unknown)}")
    for first, title in SECTIONS.items():
        rows = []
        for method, path, section in contract:
            if heading_of(section) != first:
                continue
            key = method, path_key(path)
            if method == "HEAD" and key not in ours:
                key = "GET", key[1]
            shown.add(key)
            is_served = key in ours or (method, path) in SERVED_APART
            state = "as ComfyUI" if is_served else "not served"
            note = NOTES.get(f"{method} {path}", "")
            rows.append(f"| `{method} {path}` | {state + ' and more' if note and is_served else state} | {note} |")
        parts.append(f"## {title}\n\n| Route | State | |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    own = [
        f"| `{method} {ours[method, key].path}` | {ours[method, key].summary or ''} |"
        for method, key in sorted(set(ours) - shown, key=lambda entry: (entry[1], entry[0]))
    ]
    parts.append("## inglenook's own\n\n| Route | |\n|---|---|\n" + "\n".join(own) + "\n")
    return "\n".join(parts)


def roots_of(paths: Iterable[str]) -> str:
    """The first segments of paths, as a list."""
    return ", ".join(sorted({f"`/{path.split('/')[1]}`" for path in paths}))


SERVED_APART = {("GET", "/ws"), ("GET", "/docs/{node}/{language}.md")}
"""The socket, and one that is served below `/docs/{node}/{path}`: no entries of the table of routes."""


def heading_of(section: str) -> str:
    """The first section of those that stand under one heading."""
    if section in SECTIONS:
        return section
    return max(first for first in SECTIONS if first[0] == section[0] and first <= section)


def path_key(path: str) -> str:
    """A path without the prefix and the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path.removeprefix("/api"))


def main() -> int:
    page = render()
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text() == page:
            return 0
        print(f"{PAGE.relative_to(ROOT)} is not what scripts/api_compatibility.py writes: run it")
        return 1
    PAGE.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
