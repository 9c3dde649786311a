"""Sound files: encoding with PyAV, with the workflow as tags of the container."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from inglenook.errors import MediaError

LAYOUTS: Mapping[int, str] = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
"""Number of channels -> how FFmpeg calls them."""

_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)


@dataclass(frozen=True, slots=True)
class _Format:
    container: str
    codec: str
    options: Mapping[str, str] = field(default_factory=dict)
    rates: tuple[int, ...] = ()
    """The sample rates that the codec takes; any without them."""


_FORMATS: Mapping[str, _Format] = {
    "flac": _Format("flac", "flac", {"compression_level": "8"}),
    "mp3": _Format("mp3", "libmp3lame", rates=(8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)),
    "opus": _Format("opus", "libopus", rates=_OPUS_RATES),
}


def encode(
    waveform: NDArray[np.float32], sample_rate: int, form: str, *, quality: str = "128k", text: Mapping[str, str]
) -> bytes:
    """A sound file.

    waveform: [channels, samples], -1..1. form: `flac`, `mp3` or `opus`. quality: bits per second such as `128k`, or
    `V0` to `V9` for a variable rate (mp3); flac has none. text: tag -> text.
    A sample rate that the codec does not take is converted to the next higher one.
    """
    if form not in _FORMATS:
        raise MediaError(f"sound cannot be saved as {form!r}: use {', '.join(_FORMATS)}")
    chosen = _FORMATS[form]
    buffer = io.BytesIO()
    with av.open(buffer, mode="w", format=chosen.container) as container:
        container.metadata.update(text)
        stream = add_stream(container, chosen.codec, len(waveform), _rate(sample_rate, chosen.rates), chosen.options)
        if form != "flac":
            _set_quality(stream, quality)
        mux(container, stream, waveform, sample_rate)
    return buffer.getvalue()


def _rate(sample_rate: int, rates: tuple[int, ...]) -> int:
    return next((rate for rate in rates if rate >= sample_rate), rates[-1]) if rates else sample_rate


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
    """A new audio stream of a container that is being written; MediaError for a number of channels without a name."""
    if channels not in LAYOUTS:
        raise MediaError(f"sound with {channels} channels cannot be saved: use {', '.join(map(str, LAYOUTS))}")
    return container.add_stream(codec, rate=sample_rate, layout=LAYOUTS[channels], options=dict(options or {}))


_CHUNK = 1 << 16
"""Samples that are handed to the encoder at once."""


def mux(container: Any, stream: Any, waveform: NDArray[np.float32], sample_rate: int) -> None:
    """Encode [channels, samples] into a stream of the container, converted to the stream's rate and format."""
    context = stream.codec_context
    resampler = av.AudioResampler(format=context.format, layout=context.layout, rate=context.sample_rate)
    for frame in _frames(waveform, sample_rate):
        for part in resampler.resample(frame):
            container.mux(stream.encode(part))
    for part in resampler.resample(None):
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))


def _frames(waveform: NDArray[np.float32], sample_rate: int) -> Iterator[Any]:
    samples = np.ascontiguousarray(waveform, np.float32)
    for start in range(0, samples.shape[1], _CHUNK):
        part = np.ascontiguousarray(samples[:, start : start + _CHUNK])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=LAYOUTS[len(samples)])
        frame.sample_rate = sample_rate
        frame.pts = start
        yield frame
