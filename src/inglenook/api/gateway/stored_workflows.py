"""Workflows that a request names instead of sending them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from inglenook.api.deps import Services
from inglenook.api.errors import ApiError
from inglenook.api.workflow_files import parse_document
from inglenook.errors import UnsafePath
from inglenook.media import paths

_FOLDER = "workflows"
"""Where the editor saves workflows, below the folder of a user."""


async def stored_document(server: Services, user: str, name: str) -> Any:
    """The workflow that a user has saved under a name, with or without `.json`. Raises ApiError 404, 400."""
    return await asyncio.to_thread(_read, server.folders.user / user, name, server.settings.max_json_depth)


def _read(root: Path, name: str, max_depth: int) -> Any:
    for candidate in (name, f"{name}.json"):
        try:
            path = paths.resolve(root, _FOLDER, candidate)
            if path.is_file():
                return parse_document(path.read_bytes(), max_depth)
        except (UnsafePath, OSError):
            continue
    raise ApiError(404, "workflow_not_found", "There is no stored workflow of this name", name[:200])
