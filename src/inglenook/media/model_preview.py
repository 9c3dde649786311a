"""The picture of a model file: one that lies beside it, or a cover in the metadata of a safetensors file."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

import orjson

from inglenook.errors import MediaError
from inglenook.media import images, safetensors_header

_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif")
_HEADER_BYTES = 64 << 20
"""Longest header that is read for a cover: with a few of them it has some megabytes."""
LONGEST_SIDE = 1024


def picture_beside(model: Path) -> Path | None:
    """The picture `stem.png` or `stem.preview.png` (or another format) beside a model file, None if there is none."""
    for middle in ("", ".preview"):
        for ending in _ENDINGS:
            path = model.with_name(f"{model.stem}{middle}{ending}")
            if path.is_file():
                return path
    return None


def cover(model: Path) -> bytes | None:
    """The first cover in the metadata of a safetensors file, as the bytes of a picture; None if there is none.

    Keys: `ssmd_cover_images` (sd-webui-model-metadata: a JSON list of base64), `modelspec.thumbnail` (modelspec.org: a
    data URL).
    """
    try:
        metadata = safetensors_header.metadata(model, max_bytes=_HEADER_BYTES) or {}
    except (MediaError, OSError):
        return None
    for text in (_first_of(metadata.get("ssmd_cover_images")), metadata.get("modelspec.thumbnail")):
        data = _decoded(text)
        if data:
            return data
    return None


def _first_of(value: Any) -> Any:
    try:
        pictures = orjson.loads(value) if isinstance(value, str) else None
    except orjson.JSONDecodeError:
        return None
    return pictures[0] if isinstance(pictures, list) and pictures else None


def _decoded(text: Any) -> bytes | None:
    if not isinstance(text, str):
        return None
    try:
        return base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)
    except (binascii.Error, ValueError):
        return None


def as_webp(source: Path | bytes, max_pixels: int) -> bytes:
    """The picture as WEBP, no side longer than LONGEST_SIDE. Raises MediaError, FileNotFoundError."""
    with images.opened(source, max_pixels) as file:
        picture = images.eight_bit(file)
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        return images.encode(picture, "webp")
