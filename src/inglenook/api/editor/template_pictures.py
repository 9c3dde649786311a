"""What stands for the picture of a template while the package with the pictures is not installed.

The packages with templates alone are small, those with their pictures are not; without this the editor's first page
would have a broken picture, and an error in the console, for each template.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from starlette.responses import Response

from inglenook.api.editor.static_files import find

_PICTURE = re.compile(r"(.+)-\d+\.(?:webp|png|jpe?g|gif|svg)", re.IGNORECASE)
"""`<template>-1.webp`, and `-2` for those that compare two: what is shown of a template that names none."""
_INDEX = "index.json"
_LOGOS = "index_logo.json"
_SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 180" preserveAspectRatio="xMidYMid slice">
<rect width="320" height="180" fill="#3a3836"/>
<g fill="none" stroke="#6b6763" stroke-width="4" stroke-linejoin="round">
<rect x="118" y="56" width="84" height="68" rx="6"/><circle cx="142" cy="78" r="7"/>
<path d="M120 116l28-22 16 12 18-20 18 20"/></g></svg>
"""


def instead_of_picture(folders: Iterable[Path], path: str) -> Response | None:
    """The answer for a picture, or logo, of an installed template that is not here; None for everything else."""
    folders = tuple(folders)
    named = _PICTURE.fullmatch(path)
    is_of_template = named is not None and any(
        find(folder, f"{named[1]}.json", is_package=True) is not None for folder in folders
    )
    if not is_of_template and not any(path in _pictures_named_in(folder) for folder in folders):
        return None
    # not kept: the package with the pictures may come any time
    return Response(_SVG, media_type="image/svg+xml", headers={"Cache-Control": "no-cache"})


@lru_cache(maxsize=16)
def _pictures_named_in(folder: Path) -> frozenset[str]:
    """The pictures, videos and logos that the lists of a package name; read once."""
    groups, logos = _json(folder / _INDEX), _json(folder / _LOGOS)
    found = list(logos.values()) if isinstance(logos, dict) else []
    for group in groups if isinstance(groups, list) else []:
        for template in group.get("templates", ()):
            found += template.get("thumbnail") or ()
    return frozenset(name for name in found if isinstance(name, str))


def _json(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
