"""The workflow inside a media file: PNG text chunks, and EXIF tags of WebP and JPEG, as ComfyUI writes them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from inglenook.errors import MediaError
from inglenook.media import images, png

_EXIF_PROMPT = 0x0110
_EXIF_FIRST_EXTRA = 0x010F


def workflow_text(prompt: Any, extra: Any) -> dict[str, str]:
    """Keyword -> JSON text of what a saved file carries: `prompt`, then each entry of `extra_pnginfo` (`workflow`)."""
    text = {} if prompt is None else {"prompt": json.dumps(prompt)}
    if isinstance(extra, Mapping):
        text.update((str(key), json.dumps(value)) for key, value in extra.items())
    return text


def exif(text: Mapping[str, str]) -> Image.Exif:
    """The same as EXIF for WebP: 0x0110 `prompt:<json>`, the others from 0x010F downwards."""
    tags = Image.Exif()
    extra = (f"{key}:{value}" for key, value in text.items() if key != "prompt")
    for tag, value in zip(range(_EXIF_FIRST_EXTRA, 0, -1), extra, strict=False):
        tags[tag] = value
    if "prompt" in text:
        tags[_EXIF_PROMPT] = f"prompt:{text['prompt']}"
    return tags


def read_metadata(path: Path) -> dict[str, str]:
    """Keyword -> text (for `prompt` and `workflow`: JSON text) that a picture carries, {} if nothing.

    Raises MediaError when the file is no picture that can be read.
    """
    if png.is_png(path):
        return png.read_text(path)
    with images.opened(path) as image:
        return _from_exif(image.getexif())


def metadata_of(data: bytes) -> dict[str, str]:
    """The same of the bytes of a file."""
    if png.is_png(data):
        return png.text_in(io.BytesIO(data), "the file")
    with images.opened(data) as image:
        return _from_exif(image.getexif())


def _from_exif(tags: Mapping[int, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in tags.values():
        if isinstance(value, str):
            keyword, separator, text = value.partition(":")
            if separator and text.lstrip()[:1] in ("{", "["):
                found.setdefault(keyword, text)
    return found


def parse_workflow(text: str) -> Any:
    """The JSON in a text, None for its not-a-numbers, which ComfyUI writes; MediaError when it is none."""
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        raise MediaError("the embedded workflow is not valid JSON") from None
