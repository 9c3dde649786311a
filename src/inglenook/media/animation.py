"""Moving pictures in one file: animated PNG, WebP and GIF, the first two with the workflow inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from inglenook.engine import context
from inglenook.errors import MediaError
from inglenook.media.metadata import exif

Frames = Sequence[NDArray[np.uint8]]
"""Each [height, width, 1, 3 or 4 channels], all of one size."""

WEBP_METHODS: Mapping[str, int] = {"default": 4, "fastest": 0, "slowest": 6}
"""Names of how much time the encoder takes."""

_LONGEST_FRAME_MS = {"PNG": 65_535, "WEBP": 0xFF_FFFF, "GIF": 655_350}
_LARGEST_SIDE = {"PNG": (1 << 31) - 1, "WEBP": 16_383, "GIF": 65_535}


def encode_png(
    target: Any, frames: Frames, frames_per_second: float, *, level: int = 4, text: Mapping[str, str]
) -> None:
    """Write an animated PNG. target: a binary file; text: keyword -> text chunk."""
    info = PngInfo()
    for keyword, value in text.items():
        info.add_itxt(keyword, value) if not _is_latin(value) else info.add_text(keyword, value)
    _encode(target, frames, "PNG", frames_per_second, pnginfo=info, compress_level=level)


def encode_webp(
    target: Any,
    frames: Frames,
    frames_per_second: float,
    *,
    lossless: bool = True,
    quality: int = 80,
    method: int = 4,
    loops: int = 0,
    text: Mapping[str, str],
) -> None:
    """Write an animated WebP. quality: 0 to 100; method: 0 (fast) to 6 (small); loops: how often it is shown, 0 without
    end; text: as `metadata.exif` takes it."""
    tags = exif(text)
    options = {"lossless": lossless, "quality": quality, "method": method, "loop": loops}
    _encode(target, frames, "WEBP", frames_per_second, exif=tags.tobytes(), **options)


def encode_gif(target: Any, frames: Frames, frames_per_second: float, *, loops: int = 0) -> None:
    """Write a GIF, 256 colours a frame. loops: how often it is repeated, 0 without end."""
    _encode(target, frames, "GIF", frames_per_second, loop=loops, disposal=2)


def _encode(target: Any, frames: Frames, form: str, frames_per_second: float, **options: Any) -> None:
    if not len(frames):
        raise MediaError("there is no frame to save")
    if not frames_per_second > 0:
        raise MediaError(f"{frames_per_second} frames per second: the rate must be above 0")
    height, width = frames[0].shape[:2]
    if max(height, width) > _LARGEST_SIDE[form]:
        raise MediaError(f"frames of {width}x{height} pixels are larger than {form} allows: {_LARGEST_SIDE[form]}")
    first, *others = [_Frame.of(frame, number, len(frames)) for number, frame in enumerate(frames)]
    duration = min(max(round(1000.0 / frames_per_second), 1), _LONGEST_FRAME_MS[form])
    try:
        first.save(target, form, save_all=True, append_images=others, duration=duration, **options)
    except (OSError, ValueError) as error:
        raise MediaError(
            f"{len(frames)} frames of {width}x{height} pixels cannot be saved as {form}: {error}"
        ) from error


class _Frame(Image.Image):
    """A picture that reports progress when the encoder comes to it, and ends a run that is to stop."""

    position: tuple[int, int]

    @classmethod
    def of(cls, pixels: NDArray[np.uint8], number: int, total: int) -> _Frame:
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        picture.__class__ = cls
        assert isinstance(picture, _Frame)
        picture.position = number, total
        return picture

    def seek(self, frame: int) -> None:
        context.progress(*self.position)
        super().seek(frame)


def _is_latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True
