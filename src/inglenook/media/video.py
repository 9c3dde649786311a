"""Video files with PyAV: what is in them, decoding to arrays, encoding, copying without decoding."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from inglenook.errors import MediaError
from inglenook.media import audio

Source = Path | io.BytesIO

_SECOND = 1_000_000
"""Units of a container's duration."""
_MUX = {"movflags": "use_metadata_tags"}
"""Lets MP4 keep tags of any name (the workflow)."""


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


@dataclass(frozen=True, slots=True)
class Decoded:
    """The content of a video file."""

    frames: NDArray[np.uint8]
    """[frames, height, width, 3]"""
    frame_rate: Fraction
    waveform: NDArray[np.float32] | None
    """[channels, samples], -1..1; None without sound."""
    sample_rate: int
    tags: Mapping[str, str]


@contextmanager
def _opened(source: Source) -> Iterator[tuple[Any, Any]]:
    """The container and its first video stream; MediaError for what is no video, also inside the block."""
    name = source.name if isinstance(source, Path) else "the video"
    if isinstance(source, io.BytesIO):
        source.seek(0)
    try:
        with av.open(str(source) if isinstance(source, Path) else source, mode="r") as container:
            if not container.streams.video:
                raise MediaError(f"{name} has no pictures")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            yield container, stream
    except av.error.FileNotFoundError:
        raise FileNotFoundError(str(source)) from None
    except av.error.FFmpegError as error:
        raise MediaError(f"cannot read {name}: {error.strerror or error}") from error


def facts(source: Source) -> Facts:
    """What is in a file. Decodes one frame, for its rotation; counts frames where the file does not say how many."""
    with _opened(source) as (container, stream):
        rate = _rate(stream)
        codec, form = stream.codec_context.name, container.format.name
        length = _length_s(container, stream)
        count = int(stream.frames)
        first = next(container.decode(stream), None)
    if first is None:
        raise MediaError("the video has no frame")
    sideways = first.rotation % 180 != 0
    width, height = (first.height, first.width) if sideways else (first.width, first.height)
    count = count or _count(source)
    return Facts(width, height, rate, count, count / float(rate) if length is None else length, form, codec)


def _rate(stream: Any) -> Fraction:
    return Fraction(stream.average_rate or stream.guessed_rate or 1)


def _length_s(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else float(container.duration / _SECOND)


def _count(source: Source) -> int:
    with _opened(source) as (container, stream):
        return sum(packet.size > 0 for packet in container.demux(stream))


def decode(source: Source, start_s: float = 0.0, duration_s: float = 0.0) -> Decoded:
    """The frames and the sound of a file, or of a part of it (`duration_s` 0: to the end).

    Raises MediaError for what is no video, and when the part holds no frame.
    """
    end_s = start_s + duration_s if duration_s else None
    with _opened(source) as (container, stream):
        rate, tags = _rate(stream), dict(container.metadata)
        frames = [_upright(frame) for frame in _within(container, stream, start_s, end_s)]
    if not frames:
        raise MediaError(f"the video has no frame from second {start_s:g} on")
    waveform, sample_rate = _sound(source, start_s, end_s)
    return Decoded(np.stack(frames), rate, waveform, sample_rate, tags)


def _within(container: Any, stream: Any, start_s: float, end_s: float | None) -> Iterator[Any]:
    """Decoded frames whose time lies in the part that is wanted."""
    origin = float((stream.start_time or 0) * stream.time_base)
    if start_s > 0:
        container.seek(int((origin + start_s) / stream.time_base), stream=stream)
    for frame in container.decode(stream):
        time_s = 0.0 if frame.time is None else frame.time - origin
        if end_s is not None and time_s >= end_s:
            return
        if time_s >= start_s or _reaches(frame, time_s, start_s):
            yield frame


def _reaches(frame: Any, time_s: float, start_s: float) -> bool:
    """Whether sound that began before the start goes on after it."""
    return isinstance(frame, av.AudioFrame) and time_s + frame.samples / frame.sample_rate > start_s


def _upright(frame: Any) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def _sound(source: Source, start_s: float, end_s: float | None) -> tuple[NDArray[np.float32] | None, int]:
    with _opened(source) as (container, _):
        if not container.streams.audio:
            return None, 0
        stream = container.streams.audio[0]
        rate = int(stream.sample_rate)
        resampler = av.AudioResampler(format="fltp", layout=stream.layout, rate=rate)
        first_s = start_s
        parts: list[NDArray[np.float32]] = []
        for frame in _within(container, stream, start_s, end_s):
            if not parts and frame.time is not None:
                first_s = frame.time - float((stream.start_time or 0) * stream.time_base)
            parts += [part.to_ndarray() for part in resampler.resample(frame)]
        parts += [part.to_ndarray() for part in resampler.resample(None)]
    if not parts:
        return None, 0
    waveform = np.concatenate(parts, axis=1)
    skipped = max(round((start_s - first_s) * rate), 0)
    last = None if end_s is None else skipped + round((end_s - start_s) * rate)
    return np.ascontiguousarray(waveform[:, skipped:last]), rate


def encode(
    frames: Iterable[NDArray[np.uint8]],
    frame_rate: Fraction,
    *,
    waveform: NDArray[np.float32] | None = None,
    sample_rate: int = 0,
    text: Mapping[str, str],
) -> bytes:
    """An MP4 file, H.264 with AAC.

    frames: each [height, width, 3], all of one size; an odd row or column is doubled, because the format has half the
    resolution of colours. waveform: [channels, samples]. text: tag -> text.
    """
    buffer = io.BytesIO()
    with av.open(buffer, mode="w", format="mp4", options=_MUX) as container:
        container.metadata.update(text)
        stream, sound = None, None
        for picture in frames:
            even = np.pad(picture, ((0, picture.shape[0] % 2), (0, picture.shape[1] % 2), (0, 0)), "edge")
            if stream is None:
                stream = _video_stream(container, even, frame_rate)
                if waveform is not None:
                    sound = audio.add_stream(container, "aac", len(waveform), sample_rate)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        if stream is None:
            raise MediaError("there is no frame to save")
        container.mux(stream.encode(None))
        if sound is not None and waveform is not None:
            audio.mux(container, sound, waveform, sample_rate)
    return buffer.getvalue()


def _video_stream(container: Any, picture: NDArray[np.uint8], frame_rate: Fraction) -> Any:
    stream = container.add_stream("h264", rate=frame_rate)
    stream.height, stream.width = picture.shape[:2]
    stream.pix_fmt = "yuv420p"
    return stream


class NotCopyable(MediaError):
    """A video whose streams MP4 does not hold as they are."""


def copy(source: Source, text: Mapping[str, str]) -> bytes:
    """The video and sound of a file as an MP4 file with other tags, nothing encoded anew. Raises NotCopyable."""
    with _opened(source) as (container, _):
        try:
            return _copied(container, text)
        except (av.error.FFmpegError, ValueError) as error:
            raise NotCopyable(f"the streams of the video do not fit into MP4: {error}") from error


def _copied(container: Any, text: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    chosen = [*container.streams.video[:1], *container.streams.audio[:1]]
    with av.open(buffer, mode="w", format="mp4", options=_MUX) as target:
        target.metadata.update({**container.metadata, **text})
        streams = {stream.index: target.add_stream_from_template(stream) for stream in chosen}
        for packet in container.demux(chosen):
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    return buffer.getvalue()
