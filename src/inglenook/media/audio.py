"""Sound files with PyAV: decoding to arrays, encoding with the workflow as tags of the container."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from inglenook.engine import context
from inglenook.errors import MediaError
from inglenook.media.containers import Limits, Source, check_bytes, name_of, opened, writing_errors

LAYOUTS: Mapping[int, str] = {
    1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1",
}  # fmt: skip
"""Number of channels -> how FFmpeg calls them."""

Waveform = NDArray[np.float32]
"""[channels, samples], -1..1"""

_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
_SAMPLE_BYTES = 4

# Decoding


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound."""

    waveform: Waveform
    sample_rate: int
    """Samples a second."""


def decode(source: Source, limits: Limits | None = None) -> Sound:
    """The first sound of a file; MediaError for what has none."""
    sound = decode_part(source, 0.0, None, limits)
    if sound is None:
        raise MediaError(f"{name_of(source)} has no sound")
    return sound


def decode_part(source: Source, start_s: float, end_s: float | None, limits: Limits | None = None) -> Sound | None:
    """The sound of a file from one second to another (None: to the end); None when there is none."""
    limits = limits or Limits()
    with opened(source) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        rate = int(stream.sample_rate)
        resampler = av.AudioResampler(format="fltp", layout=stream.layout, rate=rate)
        first_s, size_bytes = start_s, 0
        parts: list[Waveform] = []
        for frame in within(container, stream, start_s, end_s):
            if not parts and frame.time is not None:
                first_s = frame.time - origin_s(stream)
            parts += [part.to_ndarray() for part in resampler.resample(frame)]
            size_bytes += frame.samples * len(frame.layout.channels) * _SAMPLE_BYTES
            check_bytes(2 * size_bytes, limits, source)  # the parts, then the whole
        parts += [part.to_ndarray() for part in resampler.resample(None)]
    if not parts:
        return None
    waveform = np.concatenate(parts, axis=1)
    skipped = max(round((start_s - first_s) * rate), 0)
    last = None if end_s is None else skipped + round((end_s - start_s) * rate)
    return Sound(np.ascontiguousarray(waveform[:, skipped:last]), rate)


def origin_s(stream: Any) -> float:
    """The time at which a stream begins, seconds."""
    return float((stream.start_time or 0) * (stream.time_base or 0))


def within(container: Any, stream: Any, start_s: float, end_s: float | None) -> Iterator[Any]:
    """Decoded frames of a stream whose time lies in the part that is wanted."""
    origin = origin_s(stream)
    if start_s > 0 and stream.time_base:
        container.seek(int((origin + start_s) / stream.time_base), stream=stream)
    for frame in container.decode(stream):
        context.check_interrupted()
        time_s = 0.0 if frame.time is None else frame.time - origin
        if end_s is not None and time_s >= end_s:
            return
        if time_s >= start_s or _reaches(frame, time_s, start_s):
            yield frame


def _reaches(frame: Any, time_s: float, start_s: float) -> bool:
    """Whether sound that began before the start goes on after it."""
    return isinstance(frame, av.AudioFrame) and time_s + frame.samples / frame.sample_rate > start_s


# Encoding


@dataclass(frozen=True, slots=True)
class _Format:
    container: str
    codec: str
    options: Mapping[str, str] = field(default_factory=dict)
    max_channels: int = 8


_FORMATS: Mapping[str, _Format] = {
    "flac": _Format("flac", "flac", {"compression_level": "8"}),
    "mp3": _Format("mp3", "libmp3lame", max_channels=2),
    "opus": _Format("opus", "libopus"),
}

_RATES: Mapping[str, tuple[int, ...]] = {
    "libmp3lame": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
    "libopus": _OPUS_RATES,
    "aac": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000),
    "flac": (),
}
"""Codec -> the sample rates that it takes; any with none."""

_MAX_RATE = 655_350
"""Of FLAC, which takes the highest."""


def encode(
    target: Any, waveform: Waveform, sample_rate: int, form: str, *, quality: str = "128k", text: Mapping[str, str]
) -> None:
    """Write a sound file.

    target: a binary file. form: `flac`, `mp3` or `opus`. quality: bits per second such as `128k`, or `V0` to `V9` for a
    variable rate (mp3); flac has none. text: tag -> text.
    A sample rate that the codec does not take is converted to the next higher one.
    """
    if form not in _FORMATS:
        raise MediaError(f"sound cannot be saved as {form!r}: use {', '.join(_FORMATS)}")
    chosen = _FORMATS[form]
    if len(waveform) > chosen.max_channels:
        raise MediaError(f"{form} holds {chosen.max_channels} channels at most, the sound has {len(waveform)}")
    with writing_errors(), av.open(target, mode="w", format=chosen.container) as container:
        container.metadata.update(text)
        stream = add_stream(container, chosen.codec, len(waveform), sample_rate, chosen.options)
        if form != "flac":
            _set_quality(stream, quality)
        for _ in muxing(container, stream, waveform, sample_rate):
            pass


def _set_quality(stream: Any, quality: str) -> None:
    if quality[:1] in "Vv" and quality[1:].isdigit():
        stream.codec_context.qscale = int(quality[1:])
        return
    number = quality.removesuffix("k")
    if not number.isdigit():
        raise MediaError(f"{quality!r} is no quality of sound: use bits per second such as '128k', or 'V0'")
    stream.bit_rate = int(number) * 1000


def add_stream(
    container: Any, codec: str, channels: int, sample_rate: int, options: Mapping[str, str] | None = None
) -> Any:
    """A new audio stream of a container that is being written, at the rate next to `sample_rate` that the codec takes.

    Raises MediaError for a number of channels without a name, and for a rate that no sound has.
    """
    if channels not in LAYOUTS:
        raise MediaError(f"sound with {channels} channels cannot be saved: use {', '.join(map(str, LAYOUTS))}")
    if not 0 < sample_rate <= _MAX_RATE:
        raise MediaError(f"sound with {sample_rate} samples a second cannot be saved: use 1 to {_MAX_RATE}")
    rates = _RATES.get(codec, ())
    rate = next((rate for rate in rates if rate >= sample_rate), rates[-1]) if rates else sample_rate
    return container.add_stream(codec, rate=rate, layout=LAYOUTS[channels], options=dict(options or {}))


_CHUNK = 1 << 15
"""Samples that are handed to the encoder at once."""


def muxing(container: Any, stream: Any, waveform: Waveform, sample_rate: int) -> Iterator[float]:
    """Encode a sound into a stream of the container, converted to its rate and format, piece by piece.

    Yields the seconds written so far, so that a caller can write pictures in between.
    """
    codec = stream.codec_context
    resampler = av.AudioResampler(format=codec.format, layout=codec.layout, rate=codec.sample_rate)
    for frame in _frames(waveform, sample_rate):
        context.check_interrupted()
        for part in resampler.resample(frame):
            container.mux(stream.encode(part))
        yield (frame.pts + frame.samples) / sample_rate
    for part in resampler.resample(None):
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))


def _frames(waveform: Waveform, sample_rate: int) -> Iterator[Any]:
    for start in range(0, waveform.shape[1], _CHUNK):
        part = np.nan_to_num(np.ascontiguousarray(waveform[:, start : start + _CHUNK], np.float32))
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=LAYOUTS[len(waveform)])
        frame.sample_rate = sample_rate
        frame.pts = start
        yield frame


# Converting


def resample(waveform: Waveform, sample_rate: int, wanted_rate: int) -> Waveform:
    """The same sound at another number of samples a second; its length is that of the old one, to a sample."""
    if sample_rate == wanted_rate or not waveform.size:
        return waveform
    length = round(waveform.shape[1] * wanted_rate / sample_rate)
    rows = [_resample_one(channel[None], sample_rate, wanted_rate) for channel in waveform]
    whole = np.concatenate(rows)[:, :length]
    return np.pad(whole, ((0, 0), (0, length - whole.shape[1])))


def _resample_one(channel: Waveform, sample_rate: int, wanted_rate: int) -> Waveform:
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=wanted_rate)
    parts = [part.to_ndarray() for frame in _frames(channel, sample_rate) for part in resampler.resample(frame)]
    return np.concatenate([*parts, *(part.to_ndarray() for part in resampler.resample(None))], axis=1)
