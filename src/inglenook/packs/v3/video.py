"""The value of VIDEO sockets: a file, or pictures and sound, behind one interface."""

from __future__ import annotations

import io
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inglenook.errors import MediaError
from inglenook.media import pixels, video, writing
from inglenook.nodes.resampling import to_numpy


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


class VideoFromFile(VideoInput):
    """A file, or a part of it (`start_time`, `duration` in seconds; 0: to the end)."""

    def __init__(self, file: str | Path | io.BytesIO, *, start_time: float = 0.0, duration: float = 0.0) -> None:
        self._source: video.Source = file if isinstance(file, io.BytesIO) else Path(file)
        self._start = start_time
        self._duration = duration
        self._known: video.Facts | None = None

    @property
    def _facts(self) -> video.Facts:
        if self._known is None:
            self._known = video.facts(self._source)
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
        decoded = video.decode(self._source, self._start, self._duration)
        sound = None
        if decoded.waveform is not None:
            sound = {"waveform": torch.from_numpy(decoded.waveform)[None], "sample_rate": decoded.sample_rate}
        images = torch.from_numpy(decoded.frames).float().div_(255.0)
        return VideoComponents(images, decoded.frame_rate, sound, dict(decoded.tags))

    def save_to(
        self,
        path: str | Path | io.BytesIO,
        format: VideoContainer = VideoContainer.AUTO,
        codec: VideoCodec = VideoCodec.AUTO,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        _check(format, codec)
        if self._is_whole and self._facts.codec == "h264":
            try:
                _write(path, video.copy(self._source, _tags(metadata)))
                return
            except video.NotCopyable:  # its sound has a codec that MP4 does not hold
                pass
        VideoFromComponents(self.get_components()).save_to(path, format, codec, metadata)

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


class VideoFromComponents(VideoInput):
    """Pictures, and perhaps sound."""

    def __init__(self, components: VideoComponents) -> None:
        self._components = components

    def get_components(self) -> VideoComponents:
        return self._components

    def save_to(
        self,
        path: str | Path | io.BytesIO,
        format: VideoContainer = VideoContainer.AUTO,
        codec: VideoCodec = VideoCodec.AUTO,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        _check(format, codec)
        parts = self._components
        rate = Fraction(parts.frame_rate).limit_denominator(1001)
        waveform, sample_rate = None, 0
        if parts.audio is not None:
            sample_rate = int(parts.audio["sample_rate"])
            samples = round(len(parts.images) / rate * sample_rate)
            waveform = to_numpy(parts.audio["waveform"][0, :, :samples])
        frames = (pixels.quantize(to_numpy(image[..., :3])) for image in parts.images)
        _write(path, video.encode(frames, rate, waveform=waveform, sample_rate=sample_rate, text=_tags(metadata)))

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


def _write(path: str | Path | io.BytesIO, data: bytes) -> None:
    if isinstance(path, io.BytesIO):
        path.write(data)
    else:
        writing.replace(Path(path), data, flush=True)
