"""Scripts that the node packs of a server add to the editor, and the other files of their web folders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from inglenook.client import AsyncClient
from inglenook.client.errors import InvalidAnswer, StatusError
from inglenook.errors import UnsafePath
from inglenook.media import paths

_PREFIX = "/extensions/"
_EDITORS_OWN = "core"
_MOST_SCRIPTS = 10_000
_LONGEST = 1000
MAX_BYTES = 16 << 20
"""Largest file that is handed on."""


async def read_extensions(client: AsyncClient) -> Mapping[str, tuple[str, ...]]:
    """Pack -> paths of its scripts, as the server's `/extensions` lists them. Raises ClientError."""
    try:
        answer: Any = await client.get("/extensions")
    except (StatusError, InvalidAnswer):
        return {}
    found: dict[str, list[str]] = {}
    for address in answer[:_MOST_SCRIPTS] if isinstance(answer, list) else ():
        if not isinstance(address, str) or len(address) > _LONGEST or not address.startswith(_PREFIX):
            continue
        pack, _, path = unquote(address.removeprefix(_PREFIX)).partition("/")
        if pack != _EDITORS_OWN and is_shown(pack) and is_shown(path) and path.lower().endswith(".js"):
            found.setdefault(pack, []).append(path)
    return {pack: tuple(sorted(scripts)) for pack, scripts in found.items()}


def is_shown(path: str) -> bool:
    """Whether a path stays in its folder and names nothing hidden."""
    try:
        parts = paths.parts(path)
    except UnsafePath:
        return False
    return bool(parts) and "\\" not in path and not any(part.startswith(".") for part in parts)


async def read_file(client: AsyncClient, pack: str, path: str) -> bytes | None:
    """A file of a pack's web folder; None where there is none, or it is too large. Raises ClientError."""
    if not is_shown(pack) or "/" in pack or not is_shown(path):
        return None
    return await client.get_bytes(f"{_PREFIX}{quote(pack, safe='')}/{quote(path)}", most_bytes=MAX_BYTES)
