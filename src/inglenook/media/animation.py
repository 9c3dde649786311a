"""Moving pictures in one file: animated PNG and WebP, with the workflow inside."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from inglenook.errors import MediaError
from inglenook.media.metadata import exif

Frames = Sequence[NDArray[np.uint8]]
"""Each [height, width, 3 or 4], all of one size."""

WEBP_METHODS: Mapping[str, int] = {"default": 4, "fastest": 0, "slowest": 6}
"""Names of how much time the encoder takes."""


def encode_png(frames: Frames, frames_per_second: float, *, level: int = 4, text: Mapping[str, str]) -> bytes:
    """An animated PNG; text: keyword -> text chunk."""
    info = PngInfo()
    for keyword, value in text.items():
        info.add_itxt(keyword, value) if not _is_latin(value) else info.add_text(keyword, value)
    return _encode(frames, "PNG", frames_per_second, pnginfo=info, compress_level=level)


def encode_webp(
    frames: Frames,
    frames_per_second: float,
    *,
    lossless: bool = True,
    quality: int = 80,
    method: int = 4,
    text: Mapping[str, str],
) -> bytes:
    """An animated WebP. quality: 0 to 100; method: 0 (fast) to 6 (small); text: as `metadata.exif` takes it."""
    tags = exif(text)
    return _encode(
        frames, "WEBP", frames_per_second, exif=tags.tobytes(), lossless=lossless, quality=quality, method=method
    )


def _encode(frames: Frames, form: str, frames_per_second: float, **options: object) -> bytes:
    if not frames:
        raise MediaError("there is no frame to save")
    if not frames_per_second > 0:
        raise MediaError(f"{frames_per_second} frames per second: the rate must be above 0")
    first, *others = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    duration = max(round(1000.0 / frames_per_second), 1)
    first.save(buffer, form, save_all=True, append_images=others, duration=duration, **options)
    return buffer.getvalue()


def _is_latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True
