"""Small sounds and files of them, for tests of nodes."""

from pathlib import Path
from typing import Any

import av
import torch
from torch import Tensor


def tone(seconds: float = 0.5, rate: int = 44100, channels: int = 2, batch: int = 1, hertz: float = 440) -> Any:
    """An AUDIO value: a sine of half the full volume."""
    wave = torch.sin(torch.arange(round(seconds * rate)) * (hertz * 2 * torch.pi / rate)) / 2
    return {"waveform": wave.expand(batch, channels, -1).clone(), "sample_rate": rate}


def tags_of(path: Path) -> dict[str, str]:
    """What a container says of itself, whatever it calls the tag (Ogg has them at the stream, Matroska in capitals)."""
    with av.open(str(path)) as container:
        found = {**container.metadata, **container.streams[0].metadata}
    return {key.lower(): value for key, value in found.items()}


def similar(one: Tensor, other: Tensor, atol: float) -> bool:
    """Whether two waveforms are the same but for what a codec loses (a shift of a few samples aside)."""
    length = min(one.shape[-1], other.shape[-1])
    return bool((one[..., :length].abs().mean() - other[..., :length].abs().mean()).abs() < atol)
