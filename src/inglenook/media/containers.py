"""Opening files of sound and video that anybody may have made, with PyAV, under limits."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import psutil

from inglenook.errors import MediaError
from inglenook.media.images import MAX_PIXELS

Source = Path | io.BytesIO

_FORMATS = (
    "3gp aac ac3 aiff amr ape apng asf au avi caf dts dv eac3 flac flv gif h264 hevc ivf m4v matroska,webm mjpeg "
    "mov,mp4,m4a,3gp,3g2,mj2 mp3 mpeg mpegts mpegvideo mxf nut obu ogg rm tta voc vvc w64 wav wv yuv4mpegpipe"
)
"""What FFmpeg may take a file for. Others lead to more files or hosts (play lists, `concat`, `image2`), open devices,
or take any bytes for raw samples."""

_OPEN_OPTIONS = {"format_whitelist": ",".join(_FORMATS.split()), "protocol_whitelist": "file"}

_MEMORY_SHARE = 0.75


def _usable_memory() -> int:
    return round(psutil.virtual_memory().available * _MEMORY_SHARE)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may come out of a file: a small one can hold more than a machine has."""

    max_pixels: int = MAX_PIXELS
    """Of one frame."""
    max_bytes: int = field(default_factory=_usable_memory)
    """Of everything that is decoded; by default three quarters of the memory that is free now."""


def name_of(source: Source) -> str:
    """How messages call a file."""
    return source.name if isinstance(source, Path) else "the file"


@contextmanager
def opened(source: Source) -> Iterator[Any]:
    """A container to read from; MediaError for what cannot be read, also inside the block.

    Raises FileNotFoundError for a path that is not there.
    """
    if isinstance(source, io.BytesIO):
        source.seek(0)
    elif not source.is_file():
        raise FileNotFoundError(str(source))
    try:
        with av.open(str(source) if isinstance(source, Path) else source, mode="r", options=_OPEN_OPTIONS) as container:
            yield container
    except MediaError:
        raise
    except MemoryError:
        raise MediaError(f"not enough memory to read {name_of(source)}") from None
    except (av.error.FFmpegError, ValueError, OverflowError) as error:
        raise MediaError(f"cannot read {name_of(source)}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


@contextmanager
def writing_errors() -> Iterator[None]:
    """Turns what FFmpeg refuses to encode inside the block into MediaError."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise MediaError(f"the encoder refuses: {_reason(error)}") from error


def check_bytes(wanted: int, limits: Limits, source: Source) -> None:
    """Raise MediaError when a file holds more than the limit."""
    if wanted > limits.max_bytes:
        raise MediaError(
            f"{name_of(source)} is too long for the memory: {wanted / 1e9:.2f} GB and more are needed, "
            f"{limits.max_bytes / 1e9:.2f} GB can be had; take a part of it, or a smaller size"
        )
