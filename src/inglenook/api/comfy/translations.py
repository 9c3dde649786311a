"""`/i18n`: translations that node packs bring, `locales/<language>/{main,nodeDefs,commands,settings}.json`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.bodies import exceeds_depth
from inglenook.api.comfy.pack_files import PackFile, files_in, pack_folders
from inglenook.api.deps import Services, services
from inglenook.api.errors import JSONResponse
from inglenook.api.segments import segment_router

router = segment_router("comfy")
logger = logging.getLogger(__name__)

_FOLDER = "locales"
_TOP = "main"
"""The file whose keys stand at the top; those of the others stand under its name."""
_NAMES = (_TOP, "nodeDefs", "commands", "settings")
_MAX_DEPTH = 50

Translations = dict[str, Any]


@router.get("/i18n", summary="Translations of all languages")
async def get_translations(request: Request) -> Response:
    """Return `{language: {"nodeDefs", "commands", "settings", ...}}`."""
    return JSONResponse(await asyncio.to_thread(lambda: orjson.dumps(_all(services(request)))))


@router.get("/i18n/{language}", summary="Translations of one language")
async def get_language(request: Request) -> Response:
    """Return the translations of a language, `{}` when there are none."""
    language = request.path_params["language"]
    return JSONResponse(await asyncio.to_thread(lambda: orjson.dumps(_all(services(request)).get(language, {}))))


def _all(server: Services) -> Translations:
    files = [file for pack, root in pack_folders(server).items() for file in _files(pack, root)]
    return _merged(tuple(files))


def _files(pack: str, root: Path) -> Iterator[PackFile]:
    try:
        languages = sorted(entry.name for entry in (root / _FOLDER).iterdir() if not entry.name.startswith("."))
    except OSError:
        return
    for language in languages:
        yield from files_in(pack, root, f"{_FOLDER}/{language}", ".json")


@lru_cache(maxsize=2)
def _merged(files: tuple[PackFile, ...]) -> Translations:
    """By language; where two packs translate the same, the later one counts. Not to be changed."""
    merged: Translations = {}
    for file in files:
        path = Path(file.path)
        if path.stem in _NAMES and (content := _parsed(file)) is not None:
            language = merged.setdefault(path.parent.name, {})
            _merge(language, content if path.stem == _TOP else {path.stem: content})
    return merged


def _parsed(file: PackFile) -> Translations | None:
    data = file.read()
    try:
        content = None if data is None else orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        logger.warning("%s is left out: %s", file.path, error)
        return None
    return content if isinstance(content, dict) and not exceeds_depth(content, _MAX_DEPTH) else None


def _merge(into: Translations, more: Translations) -> None:
    for key, value in more.items():
        known = into.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value)
        else:
            into[key] = value
