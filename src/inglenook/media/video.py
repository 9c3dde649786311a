"""Video files with PyAV: what is in them, decoding to arrays, copying without decoding.

Writing pictures as a video is in `video_encoding`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from inglenook.engine import context
from inglenook.errors import MediaError
from inglenook.media import audio
from inglenook.media.containers import Limits, Source, check_bytes, name_of, opened
from inglenook.media.video_encoding import KEEP_ALL_TAGS

Picture = NDArray[np.uint8]
"""[height, width, 3]"""

_SECOND = 1_000_000
"""Units of a container's duration."""
_LATER_BYTES = 5
"""What a byte of a decoded frame costs in the end: itself, and the float32 that nodes work with."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a video file says of itself."""

    width: int
    height: int
    """Pixels, as shown: after the rotation that the file asks for."""
    frame_rate: Fraction
    frame_count: int
    duration_s: float
    container: str
    """Names of the format, such as `mov,mp4,m4a,3gp,3g2,mj2`."""
    codec: str


@contextmanager
def _opened(source: Source, limits: Limits) -> Iterator[tuple[Any, Any]]:
    """The container and its first video stream; MediaError for what is no video, also inside the block."""
    with opened(source) as container:
        if not container.streams.video:
            raise MediaError(f"{name_of(source)} has no pictures")
        stream = container.streams.video[0]
        codec = stream.codec_context
        if codec is None:
            raise MediaError(f"{name_of(source)} has pictures of a kind that cannot be read")
        if codec.width * codec.height > limits.max_pixels:
            raise MediaError(
                f"{name_of(source)} has {codec.width}x{codec.height} pixels, more than the limit of "
                f"{limits.max_pixels / 1e6:g} megapixels"
            )
        codec.options = {"max_pixels": str(limits.max_pixels)}  # a later frame may be larger than the file says
        stream.thread_type = "AUTO"
        yield container, stream


def facts(source: Source, limits: Limits | None = None) -> Facts:
    """What is in a file. Decodes one frame, for its rotation; counts frames where the file does not say how many."""
    limits = limits or Limits()
    with _opened(source, limits) as (container, stream):
        rate = _rate(stream)
        codec, form = stream.codec_context.name, container.format.name
        length = _length_s(container, stream)
        count = int(stream.frames)
        first = next(container.decode(stream), None)
    if first is None:
        raise MediaError(f"{name_of(source)} has no frame")
    sideways = first.rotation % 180 != 0
    width, height = (first.height, first.width) if sideways else (first.width, first.height)
    count = count or _count(source, limits)
    return Facts(width, height, rate, count, count / float(rate) if length is None else length, form, codec)


def _rate(stream: Any) -> Fraction:
    return Fraction(stream.average_rate or stream.guessed_rate or 1)


def _length_s(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else float(container.duration / _SECOND)


def _count(source: Source, limits: Limits) -> int:
    count = 0
    with _opened(source, limits) as (container, stream):
        for packet in container.demux(stream):
            context.check_interrupted()
            count += packet.size > 0
    return count


# Decoding


class Reader:
    """The frames of a file, or of a part of it (`duration_s` 0: to the end), one after another, and its sound.

    Iterating raises MediaError for what is no video, and when there is no frame.
    """

    def __init__(
        self, source: Source, start_s: float = 0.0, duration_s: float = 0.0, limits: Limits | None = None
    ) -> None:
        self._source = source
        self._start_s = start_s
        self._end_s = start_s + duration_s if duration_s else None
        self._limits = limits or Limits()
        with _opened(source, self._limits) as (container, stream):
            self.frame_rate = _rate(stream)
            self.tags: Mapping[str, str] = dict(container.metadata)

    def __iter__(self) -> Iterator[Picture]:
        first: Picture | None = None
        with _opened(self._source, self._limits) as (container, stream):
            for frame in audio.within(container, stream, self._start_s, self._end_s):
                picture = _upright(frame, None if first is None else first.shape)
                first = picture if first is None else first
                yield picture
        if first is None:
            raise MediaError(f"{name_of(self._source)} has no frame from second {self._start_s:g} on")

    def fitting(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """The pictures that are to be kept; MediaError when they, and the float32 pictures that are made of them,
        become more than the limits allow."""
        size_bytes = 0
        for picture in pictures:
            size_bytes += picture.nbytes * _LATER_BYTES
            check_bytes(size_bytes, self._limits, self._source)
            yield picture

    def sound(self) -> audio.Sound | None:
        """The sound of the same part; None without."""
        return audio.decode_part(self._source, self._start_s, self._end_s, self._limits)


def _upright(frame: Any, shape: tuple[int, ...] | None) -> Picture:
    """A frame as it is to be shown, brought to the size of the first one where it has another."""
    turns = round(frame.rotation / 90) % 4
    if shape is not None:
        height, width = shape[:2] if turns % 2 == 0 else (shape[1], shape[0])
        if (frame.width, frame.height) != (width, height):
            frame = frame.reformat(width=width, height=height, format="rgb24")
    pixels: Picture = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


# Copying


class NotCopyable(MediaError):
    """A video whose streams MP4 does not hold as they are."""


def copy(source: Source, target: Any, text: Mapping[str, str], limits: Limits | None = None) -> None:
    """Write the video and sound of a file as an MP4 file with other tags, nothing encoded anew. Raises NotCopyable."""
    with _opened(source, limits or Limits()) as (container, _):
        try:
            _copy(container, target, text)
        except (av.error.FFmpegError, ValueError) as error:
            raise NotCopyable(f"the streams of the video do not fit into MP4: {error}") from error


def _copy(container: Any, file: Any, text: Mapping[str, str]) -> None:
    chosen = [*container.streams.video[:1], *container.streams.audio[:1]]
    with av.open(file, mode="w", format="mp4", options=KEEP_ALL_TAGS) as target:
        target.metadata.update({**container.metadata, **text})
        streams = {stream.index: target.add_stream_from_template(stream) for stream in chosen}
        for packet in container.demux(chosen):
            context.check_interrupted()
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
