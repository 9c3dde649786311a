"""`/features`: what the server can do, as the editor asks before it uses it, and as sockets are told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.deps import settings
from inglenook.api.errors import JSONResponse
from inglenook.settings import Settings

router = APIRouter(tags=["comfy"])


def features(settings: Settings) -> dict[str, Any]:
    """Return what is implemented, without the flags that the settings add."""
    return {
        "supports_preview_metadata": True,
        "max_upload_size": settings.max_upload_bytes,
        "node_replacements": True,
        "assets": settings.enable_assets,
        "supports_model_type_tags": settings.enable_assets,
    }


@router.get("/features", summary="Feature flags of the server")
async def get_features(request: Request) -> Response:
    """Return the flags of the server, with those of the setting `feature_flags`."""
    own = settings(request)
    return JSONResponse({**features(own), **parse_flags(own.feature_flags)})


def parse_flags(flags: Iterable[str]) -> dict[str, Any]:
    """`name=value` as an object: true, false and numbers as such, other values as text, no value as true."""
    parsed = {}
    for flag in flags:
        name, equals, value = flag.partition("=")
        if name.strip():
            parsed[name.strip()] = _value(value.strip()) if equals else True
    return parsed


def _value(text: str) -> Any:
    try:
        value = json.loads(text.lower() if text.lower() in ("true", "false") else text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, bool | int | float) and abs(value) < 1 << 53 else text
