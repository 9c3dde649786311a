"""Writing video files with PyAV: pictures and sound, with the workflow as tags of the container."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from inglenook.errors import MediaError
from inglenook.media import audio
from inglenook.media.containers import writing_errors

KEEP_ALL_TAGS = {"movflags": "use_metadata_tags"}
"""Lets MP4 and MOV keep tags of any name (the workflow)."""


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """A kind of video file."""

    extension: str
    """Of its names, without a dot."""
    container: str
    codec: str
    pixel_format: str = "yuv420p"
    options: Mapping[str, str] = field(default_factory=dict)
    """Of the encoder."""
    crf: int | None = None
    """The usual constant rate factor, 0 (best) upwards; None where the encoder has none."""
    sound_codec: str = "aac"
    max_crf: int = 51

    def at_quality(self, crf: float | None) -> VideoFormat:
        """The same at another constant rate factor (None: as it is), cut to what the encoder takes."""
        if crf is None or self.crf is None:
            return self
        return replace(self, crf=round(min(max(crf, 0), self.max_crf)))


H264 = VideoFormat("mp4", "mp4", "libx264", crf=23)
H265 = VideoFormat("mp4", "mp4", "libx265", crf=28, options={"x265-params": "log-level=none"})
VP9 = VideoFormat("webm", "webm", "libvpx-vp9", crf=32, sound_codec="libopus", max_crf=63, options={"row-mt": "1"})
AV1 = VideoFormat(
    "webm", "webm", "libsvtav1", "yuv420p10le", crf=32, sound_codec="libopus", max_crf=63, options={"preset": "6"}
)
PRORES = VideoFormat("mov", "mov", "prores_ks", "yuv422p10le", options={"profile": "3"})
FFV1 = VideoFormat("mkv", "matroska", "ffv1", "bgr0", sound_codec="flac", options={"level": "3"})

_MAX_RATE = 1000
_NEEDS_EVEN = ("yuv420", "yuva420", "yuv422")
"""Pixel formats with half the resolution of colours."""


@dataclass(frozen=True, slots=True)
class Track:
    """The sound of a video."""

    waveform: audio.Waveform
    sample_rate: int


def encode(
    target: Any,
    frames: Iterable[NDArray[np.uint8]],
    frame_rate: Fraction,
    form: VideoFormat = H264,
    *,
    sound: Track | None = None,
    text: Mapping[str, str],
) -> None:
    """Write a video file.

    target: a binary file that can seek. frames: each [height, width, 3 or 4 channels], all of one size; an odd row or
    column is doubled where the format has half the resolution of colours. text: tag -> text.
    Raises MediaError for no frame, frames of several sizes, and what the encoder does not take.
    """
    if not 0 < frame_rate <= _MAX_RATE:
        raise MediaError(f"{float(frame_rate):g} frames a second cannot be saved: use up to {_MAX_RATE}")
    with writing_errors(), av.open(target, mode="w", format=form.container, options=_mux_options(form)) as container:
        container.metadata.update(text)
        _write(container, iter(frames), frame_rate, form, sound)


def _mux_options(form: VideoFormat) -> dict[str, str]:
    return KEEP_ALL_TAGS if form.container in ("mp4", "mov") else {}


def _write(
    container: Any,
    frames: Iterator[NDArray[np.uint8]],
    frame_rate: Fraction,
    form: VideoFormat,
    sound: Track | None,
) -> None:
    first = next(frames, None)
    if first is None:
        raise MediaError("there is no frame to save")
    stream = _video_stream(container, first, frame_rate, form)
    sounds: Iterator[float] = iter(())
    if sound is not None and sound.waveform.size:
        track = audio.add_stream(container, form.sound_codec, len(sound.waveform), sound.sample_rate)
        sounds = audio.muxing(container, track, sound.waveform, sound.sample_rate)
    heard_s = 0.0
    for number, picture in enumerate(_with(first, frames)):
        if picture.shape != first.shape:
            raise MediaError(f"frame {number} is {picture.shape}, the first one {first.shape}: all must have one size")
        container.mux(stream.encode(_frame(picture, stream)))
        while heard_s <= (number + 1) / frame_rate:  # the sound of a moment beside its picture, for players
            heard_s = next(sounds, float("inf"))
    container.mux(stream.encode(None))
    for _ in sounds:
        pass


def _with(first: NDArray[np.uint8], others: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    yield first
    yield from others


def _video_stream(container: Any, picture: NDArray[np.uint8], frame_rate: Fraction, form: VideoFormat) -> Any:
    options = dict(form.options)
    if form.crf is not None:
        options["crf"] = str(form.crf)
    stream = container.add_stream(form.codec, rate=frame_rate, options=options)
    even = 2 if form.pixel_format.startswith(_NEEDS_EVEN) else 1
    height, width = (side + side % even for side in picture.shape[:2])
    stream.height, stream.width, stream.pix_fmt = height, width, form.pixel_format
    if form.codec == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # errors alone: it knows no other way, and tells 20 lines a file
    if form.codec == "libvpx-vp9":
        stream.bit_rate = 0  # else the rate, not the quality, is kept
    return stream


def _frame(picture: NDArray[np.uint8], stream: Any) -> Any:
    rows, columns = stream.height - picture.shape[0], stream.width - picture.shape[1]
    if rows or columns:
        picture = np.pad(picture, ((0, rows), (0, columns), (0, 0)), "edge")
    return av.VideoFrame.from_ndarray(
        np.ascontiguousarray(picture), format="rgba" if picture.shape[2] == 4 else "rgb24"
    )
