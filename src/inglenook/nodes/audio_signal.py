"""Sound made, cut and combined."""

from __future__ import annotations

from typing import Any

import numpy as np
import psutil
import torch
import torch.nn.functional as F
from torch import Tensor

from inglenook.errors import NodeError
from inglenook.media.audio import resample
from inglenook.nodes.audio import Audio, waveform
from inglenook.nodes.registry import node
from inglenook.nodes.resampling import to_numpy

_SAMPLE_BYTES = 4


@node("EmptyAudio")
def empty(duration: float, sample_rate: int, channels: int) -> tuple[Audio]:
    if sample_rate < 1:
        raise NodeError(f"EmptyAudio: sample_rate is {sample_rate}; it must be at least 1")
    samples = round(duration * sample_rate)
    if samples * channels * _SAMPLE_BYTES > psutil.virtual_memory().available:
        raise NodeError(f"EmptyAudio: {duration:g} seconds of sound do not fit into memory")
    return ({"waveform": torch.zeros(1, channels, samples), "sample_rate": sample_rate},)


@node("TrimAudioDuration")
def trim(audio: Audio, start_index: float, duration: float) -> tuple[Audio]:
    """Cut a piece out; a start below 0 counts from the end, in seconds."""
    wave, rate = waveform(audio), audio["sample_rate"]
    length = wave.shape[-1]
    begin = round(start_index * rate) + (length if start_index < 0 else 0)
    begin = max(0, min(begin, length - 1))
    end = length if duration * rate >= length else min(begin + round(duration * rate), length)
    if begin >= end:
        raise NodeError(
            f"TrimAudioDuration: nothing is left of {length / rate:g} s of sound from second {start_index:g} on "
            f"for {duration:g} s; take a longer duration"
        )
    return ({**audio, "waveform": wave[..., begin:end]},)


@node("SplitAudioChannels")
def split_channels(audio: Audio) -> tuple[Audio, Audio]:
    wave = waveform(audio)
    if wave.shape[1] < 2:
        raise NodeError("SplitAudioChannels: the sound has one channel; it must have two")
    return {**audio, "waveform": wave[:, 0:1]}, {**audio, "waveform": wave[:, 1:2]}


@node("AudioConcat")
def concat(audio1: Audio, audio2: Audio, direction: str) -> tuple[Audio]:
    """One sound after (or before) the other, both at the higher of their rates; mono becomes stereo."""
    first, second, rate = _matched(audio1, audio2)
    first, second = _stereo(first), _stereo(second)
    if first.shape[:2] != second.shape[:2]:
        raise NodeError(
            f"AudioConcat: sounds of {tuple(first.shape[:2])} and {tuple(second.shape[:2])} (batch, channels) "
            "cannot be joined: both must be the same"
        )
    parts = (first, second) if direction == "after" else (second, first)
    return ({"waveform": torch.cat(parts, dim=-1), "sample_rate": rate},)


@node("AudioMerge")
def merge(audio1: Audio, audio2: Audio, merge_method: str) -> tuple[Audio]:
    """Both at once, as long as the first one; made quieter as a whole where it would be too loud."""
    first, second, rate = _matched(audio1, audio2)
    missing = first.shape[-1] - second.shape[-1]
    second = F.pad(second, (0, missing)) if missing > 0 else second[..., : first.shape[-1]]
    if any(one != other and 1 not in (one, other) for one, other in zip(first.shape, second.shape, strict=True)):
        raise NodeError(
            f"AudioMerge: sounds of {tuple(first.shape[:2])} and {tuple(second.shape[:2])} (batch, channels) "
            "do not fit together"
        )
    match merge_method:
        case "add":
            merged = first + second
        case "subtract":
            merged = first - second
        case "multiply":
            merged = first * second
        case "mean":
            merged = (first + second) / 2
        case _:
            raise NodeError(f"AudioMerge: unknown merge_method {merge_method!r}")
    loudest = merged.abs().max() if merged.numel() else torch.tensor(0.0)
    return ({"waveform": merged / loudest if loudest > 1 else merged, "sample_rate": rate},)


@node("AudioAdjustVolume")
def adjust_volume(audio: Audio, volume: int) -> tuple[Audio]:
    """Louder or quieter by decibels."""
    if volume == 0:
        return (audio,)
    return ({**audio, "waveform": waveform(audio) * 10 ** (volume / 20)},)


def _matched(one: Audio, other: Audio) -> tuple[Tensor, Tensor, int]:
    """Both waveforms at the higher of their sample rates."""
    rate: int = max(one["sample_rate"], other["sample_rate"])
    return _at_rate(one, rate), _at_rate(other, rate), rate


def _at_rate(audio: Audio, rate: int) -> Tensor:
    wave = waveform(audio)
    if audio["sample_rate"] == rate:
        return wave
    items: list[Any] = [resample(to_numpy(item), int(audio["sample_rate"]), rate) for item in wave]
    return torch.from_numpy(np.stack(items)).to(wave)


def _stereo(wave: Tensor) -> Tensor:
    return wave.repeat(1, 2, 1) if wave.shape[1] == 1 else wave
