"""Workflows that a request names instead of sending them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from inglenook.api.deps import Services
from inglenook.api.errors import ApiError
from inglenook.api.library_entries import ListedWorkflow
from inglenook.api.workflow_files import parse_document
from inglenook.errors import UnsafePath
from inglenook.media import paths

_FOLDER = "workflows"
"""Where the editor saves workflows, below the folder of a user."""


async def stored_document(server: Services, user: str, name: str) -> tuple[Any, ListedWorkflow | None]:
    """The workflow of a user under a name, with or without `.json`, and where it stands in the library.

    Workflows that the editor saved count too, behind those of the library. Raises ApiError 404, 400.
    """
    depth = server.settings.max_json_depth
    try:
        stored = await server.library.get(user, name)
    except ApiError as error:
        if error.status != 404:
            raise
        found = await asyncio.to_thread(_saved, server.folders.user / user, name, depth)
        if found is None:
            raise
        return found, None
    return await asyncio.to_thread(parse_document, stored.document, depth), stored.listed


def _saved(root: Path, name: str, max_depth: int) -> Any:
    for candidate in (name, f"{name}.json"):
        try:
            path = paths.resolve(root, _FOLDER, candidate)
            if path.is_file():
                return parse_document(path.read_bytes(), max_depth)
        except (UnsafePath, OSError):
            continue
    return None
