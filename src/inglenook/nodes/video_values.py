"""The value of VIDEO sockets: a file, or pictures and sound, behind one interface."""

from __future__ import annotations

import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from inglenook.engine import context
from inglenook.errors import MediaError
from inglenook.media import pixels, video, writing
from inglenook.media.containers import Limits, Source
from inglenook.media.scratch import Scratch
from inglenook.media.video_encoding import Track, encode
from inglenook.nodes.environment import environment
from inglenook.nodes.resampling import to_numpy

Frame = TypeVar("Frame")


class VideoCodec(StrEnum):
    """How the pictures of a video are written."""

    AUTO = "auto"
    H264 = "h264"

    @classmethod
    def as_input(cls) -> list[str]:
        """The choices of a combo."""
        return [member.value for member in cls]


class VideoContainer(StrEnum):
    """The kind of file."""

    AUTO = "auto"
    MP4 = "mp4"

    @classmethod
    def as_input(cls) -> list[str]:
        """The choices of a combo."""
        return [member.value for member in cls]

    @classmethod
    def get_extension(cls, value: str | VideoContainer) -> str:
        """The extension of such files, without a dot."""
        return {cls.AUTO: "mp4", cls.MP4: "mp4"}[cls(value)]


@dataclass
class VideoComponents:
    """The content of a video."""

    images: Tensor
    """[frames, height, width, 3], 0..1"""
    frame_rate: Fraction
    audio: dict[str, Any] | None = None
    """`waveform` [1, channels, samples] and `sample_rate`."""
    metadata: dict[str, Any] | None = None


class VideoInput(ABC):
    """A video, wherever it comes from."""

    @abstractmethod
    def get_components(self) -> VideoComponents:
        """The pictures and the sound, decoded."""

    @abstractmethod
    def save_to(
        self,
        path: str | Path | io.BytesIO,
        format: VideoContainer = VideoContainer.AUTO,
        codec: VideoCodec = VideoCodec.AUTO,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Write an MP4 file; metadata: tag -> value, written as JSON."""

    def write_to(
        self,
        target: Scratch | io.BytesIO,
        format: VideoContainer = VideoContainer.AUTO,
        codec: VideoCodec = VideoCodec.AUTO,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """The same into an open file. Classes of packs have `save_to` alone."""
        buffer = io.BytesIO()
        self.save_to(buffer, format, codec, metadata)
        target.write(buffer.getvalue())

    @abstractmethod
    def as_trimmed(
        self, start_time: float = 0.0, duration: float = 0.0, strict_duration: bool = False
    ) -> VideoInput | None:
        """A part of it, in seconds (`duration` 0: to the end); None if that must be whole (`strict_duration`) and is
        not, or if nothing is left."""

    def get_stream_source(self) -> str | io.BytesIO:
        """A path or bytes that a decoder can read."""
        buffer = io.BytesIO()
        self.save_to(buffer)
        buffer.seek(0)
        return buffer

    def get_dimensions(self) -> tuple[int, int]:
        """Width and height in pixels."""
        images = self.get_components().images
        return images.shape[2], images.shape[1]

    def get_frame_rate(self) -> Fraction:
        """Frames per second."""
        return self.get_components().frame_rate

    def get_frame_count(self) -> int:
        """The number of frames."""
        return len(self.get_components().images)

    def get_duration(self) -> float:
        """Seconds."""
        return self.get_frame_count() / float(self.get_frame_rate())

    def get_container_format(self) -> str:
        """Names of the kind of file."""
        return "mp4"


class _OwnVideo(VideoInput):
    """A video of ours: what writes it into an open file also writes it to a path."""

    def save_to(
        self,
        path: str | Path | io.BytesIO,
        format: VideoContainer = VideoContainer.AUTO,
        codec: VideoCodec = VideoCodec.AUTO,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(path, io.BytesIO):
            self.write_to(path, format, codec, metadata)
            return
        with Scratch(Path(path).parent) as scratch:
            self.write_to(scratch, format, codec, metadata)
            writing.replace(Path(path), scratch, flush=True)


class VideoFromFile(_OwnVideo):
    """A file, or a part of it (`start_time`, `duration` in seconds; 0: to the end)."""

    def __init__(self, file: str | Path | io.BytesIO, *, start_time: float = 0.0, duration: float = 0.0) -> None:
        self._source: Source = file if isinstance(file, io.BytesIO) else Path(file)
        self._start = start_time
        self._duration = duration
        self._known: video.Facts | None = None

    @property
    def _facts(self) -> video.Facts:
        if self._known is None:
            self._known = video.facts(self._source, decoding_limits())
        return self._known

    @property
    def _is_whole(self) -> bool:
        return not self._start and not self._duration

    def get_stream_source(self) -> str | io.BytesIO:
        if not self._is_whole:
            return super().get_stream_source()
        if isinstance(self._source, Path):
            return str(self._source)
        self._source.seek(0)
        return self._source

    def get_components(self) -> VideoComponents:
        reader = video.Reader(self._source, self._start, self._duration, decoding_limits())
        images = images_of([*reader.fitting(reader)])
        heard = reader.sound()
        sound = None
        if heard is not None:
            sound = {"waveform": torch.from_numpy(heard.waveform)[None], "sample_rate": heard.sample_rate}
        return VideoComponents(images, reader.frame_rate, sound, dict(reader.tags))

    def write_to(
        self,
        target: Scratch | io.BytesIO,
        format: VideoContainer = VideoContainer.AUTO,
        codec: VideoCodec = VideoCodec.AUTO,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        _check(format, codec)
        if self._is_whole and self._facts.codec == "h264":
            start = target.tell()
            try:
                video.copy(self._source, target, _tags(metadata), decoding_limits())
                return
            except video.NotCopyable:  # its sound has a codec that MP4 does not hold
                target.seek(start)
                target.truncate()
        self._encode(target, _tags(metadata))

    def _encode(self, target: Scratch | io.BytesIO, tags: Mapping[str, str]) -> None:
        """Write it frame by frame: a file may hold more than the memory."""
        reader = video.Reader(self._source, self._start, self._duration, decoding_limits())
        heard = reader.sound()
        sound = None
        if heard is not None:
            samples = round(self.get_duration() * heard.sample_rate)
            sound = Track(heard.waveform[:, :samples], heard.sample_rate)
        frames = reported(reader, self._facts.frame_count)
        rate = reader.frame_rate.limit_denominator(1001)
        encode(target, frames, rate, sound=sound, text={**reader.tags, **tags})

    def as_trimmed(
        self, start_time: float = 0.0, duration: float = 0.0, strict_duration: bool = False
    ) -> VideoInput | None:
        length = self.get_duration()
        begin = max(length + start_time, 0.0) if start_time < 0 else start_time
        left = length - begin
        if left <= 0 or (strict_duration and duration > left):
            return None
        return VideoFromFile(
            self._source, start_time=self._start + begin, duration=min(duration, left) if duration else left
        )

    def get_dimensions(self) -> tuple[int, int]:
        return self._facts.width, self._facts.height

    def get_frame_rate(self) -> Fraction:
        return self._facts.frame_rate

    def get_frame_count(self) -> int:
        return self._facts.frame_count if self._is_whole else len(self.get_components().images)

    def get_duration(self) -> float:
        left = max(self._facts.duration_s - self._start, 0.0)
        return min(self._duration, left) if self._duration else left

    def get_container_format(self) -> str:
        return self._facts.container


class VideoFromComponents(_OwnVideo):
    """Pictures, and perhaps sound."""

    def __init__(self, components: VideoComponents) -> None:
        self._components = components

    def get_components(self) -> VideoComponents:
        return self._components

    def write_to(
        self,
        target: Scratch | io.BytesIO,
        format: VideoContainer = VideoContainer.AUTO,
        codec: VideoCodec = VideoCodec.AUTO,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        _check(format, codec)
        parts = self._components
        rate = Fraction(parts.frame_rate).limit_denominator(1001)
        frames = reported((pixels.quantize(to_numpy(image[..., :3])) for image in parts.images), len(parts.images))
        encode(target, frames, rate, sound=sound_track(parts.audio, len(parts.images) / rate), text=_tags(metadata))

    def as_trimmed(
        self, start_time: float = 0.0, duration: float = 0.0, strict_duration: bool = False
    ) -> VideoInput | None:
        parts = self._components
        rate, count = float(parts.frame_rate), len(parts.images)
        first = max(count + round(start_time * rate), 0) if start_time < 0 else round(start_time * rate)
        wanted = round(duration * rate) if duration else count - first
        if first >= count or (strict_duration and first + wanted > count):
            return None
        images = parts.images[first : first + wanted]
        sound = parts.audio
        if sound is not None:
            begin, length = (round(n / rate * sound["sample_rate"]) for n in (first, len(images)))
            sound = {**sound, "waveform": sound["waveform"][..., begin : begin + length]}
        return VideoFromComponents(VideoComponents(images, parts.frame_rate, sound, parts.metadata))


def _check(form: str, codec: str) -> None:
    if form not in VideoContainer.as_input():
        raise MediaError(f"a video cannot be saved as {form!r}: use {', '.join(VideoContainer.as_input())}")
    if codec not in VideoCodec.as_input():
        raise MediaError(f"a video cannot be saved with the codec {codec!r}: use {', '.join(VideoCodec.as_input())}")


def _tags(metadata: Mapping[str, Any] | None) -> dict[str, str]:
    return {key: json.dumps(value) for key, value in (metadata or {}).items() if value is not None}


def images_of(frames: list[video.Picture]) -> Tensor:
    """An IMAGE of 8-bit frames; the list is empty afterwards, each frame goes when its picture is made."""
    images = torch.empty(len(frames), *frames[0].shape)
    for number in reversed(range(len(frames))):
        images[number] = torch.from_numpy(frames.pop())
    return images.div_(255.0)


def sound_track(audio: Mapping[str, Any] | None, length_s: Fraction) -> Track | None:
    """The first sound of a batch, cut to a length; None without sound."""
    if audio is None:
        return None
    sample_rate = int(audio["sample_rate"])
    return Track(to_numpy(audio["waveform"][0, :, : round(length_s * sample_rate)]), sample_rate)


def reported(frames: Iterable[Frame], total: int) -> Iterator[Frame]:
    """The frames, each reported as progress of the running node; ends a run that is to stop."""
    for number, frame in enumerate(frames):
        context.progress(number, total)
        yield frame


def decoding_limits() -> Limits:
    """How much may come out of a file, by the settings of the device process."""
    try:
        return Limits(max_pixels=round(environment().max_megapixels * 1e6))
    except LookupError:  # a script or a test of a pack
        return Limits()
