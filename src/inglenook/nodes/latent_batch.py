"""Batches of latents: taken apart, repeated, joined. A latent's `batch_index` says which noise each item gets."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from inglenook.errors import NodeError
from inglenook.nodes.registry import node
from inglenook.nodes.resampling import resize

Latent = dict[str, Any]


@node("LatentFromBatch")
def from_batch(samples: Latent, batch_index: int, length: int) -> tuple[Latent]:
    """Some items of a batch, with the noise that they would get in it."""
    latent = samples["samples"]
    first = min(len(latent) - 1, batch_index)
    chosen = slice(first, first + min(len(latent) - first, length))
    output = {**samples, "samples": latent[chosen].clone(), "batch_index": _numbers(samples)[chosen]}
    if "noise_mask" in samples:
        mask = samples["noise_mask"]
        output["noise_mask"] = mask.clone() if len(mask) == 1 else _as_long(mask, len(latent))[chosen].clone()
    return (output,)


@node("RepeatLatentBatch")
def repeat(samples: Latent, amount: int) -> tuple[Latent]:
    """The batch several times, each time with other noise."""
    latent = samples["samples"]
    output = {**samples, "samples": latent.repeat(amount, *(1,) * (latent.ndim - 1))}
    mask = samples.get("noise_mask")
    if mask is not None and len(mask) > 1:
        mask = _as_long(mask, len(latent))
        output["noise_mask"] = mask.repeat(amount, *(1,) * (mask.ndim - 1))
    if "batch_index" in samples:
        numbers = samples["batch_index"]
        step = max(numbers) - min(numbers) + 1
        output["batch_index"] = [number + step * turn for turn in range(amount) for number in numbers]
    return (output,)


@node("LatentBatch")
def join(samples1: Latent, samples2: Latent) -> tuple[Latent]:
    """Two batches as one; the second is brought to the size of the first."""
    first, second = samples1["samples"], samples2["samples"]
    if first.shape[1] != second.shape[1] or first.ndim != second.ndim:
        raise NodeError(
            f"LatentBatch: latents of {tuple(first.shape)} and {tuple(second.shape)} are of different models"
        )
    if first.shape[1:] != second.shape[1:]:
        second = resize(second, first.shape[-1], first.shape[-2], "bilinear", "center")
    numbers = _numbers(samples1) + _numbers(samples2)
    return ({**samples1, "samples": torch.cat((first, second)), "batch_index": numbers},)


def _numbers(samples: Latent) -> list[int]:
    numbers: list[int] = samples.get("batch_index", [*range(len(samples["samples"]))])
    return numbers


def _as_long(mask: Tensor, length: int) -> Tensor:
    """A mask for each item: those that there are, over and over."""
    return mask.repeat(-(-length // len(mask)), *(1,) * (mask.ndim - 1))[:length]
