"""Names of the model files of a server, as its `/models` and `/embeddings` list them; other servers may lack these."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from inglenook.client import AsyncClient
from inglenook.client.errors import InvalidAnswer, StatusError

_MOST_FOLDERS = 200
_MOST_FILES = 50_000
_LONGEST_NAME = 1000
_FOLDER = re.compile(r"[\w-][\w .-]{0,99}")
_NOT_MODELS = ("custom_nodes",)


async def read_embeddings(client: AsyncClient) -> frozenset[str] | None:
    """The names of textual inversions, without extension; None where the server does not say. Raises ClientError."""
    names = await _names(client, "/embeddings")
    return None if names is None else frozenset(names)


async def read_model_lists(client: AsyncClient) -> Mapping[str, tuple[str, ...]]:
    """Model folder -> relative names of its files. Raises ClientError."""
    folders = await _names(client, "/models") or ()
    found: dict[str, tuple[str, ...]] = {}
    for folder in folders[:_MOST_FOLDERS]:
        if _FOLDER.fullmatch(folder) and folder not in _NOT_MODELS:
            names = await _names(client, f"/models/{quote(folder, safe='')}")
            if names is not None:
                found[folder] = names
    return found


async def _names(client: AsyncClient, path: str) -> tuple[str, ...] | None:
    try:
        answer: Any = await client.get(path)
    except (StatusError, InvalidAnswer):
        return None
    if not isinstance(answer, list):
        return None
    return tuple(name for name in answer[:_MOST_FILES] if _is_name(name))


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and name.isprintable()
