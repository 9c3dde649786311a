"""Resizing that turns vectors instead of mixing them: bilinear positions, spherical interpolation (Shoemake 1985)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_PARALLEL = 1e-5
"""Cosines nearer than this to 1 or -1 have no plane to turn in."""


def bislerp(samples: Tensor, width: int, height: int) -> Tensor:
    """Resize [batch, channels, h, w]: the channels of a pixel are a vector that is turned, its length mixed."""
    wide = _along_last(samples.float(), width)
    return _along_last(wide.mT, height).mT.to(samples.dtype)


def _along_last(samples: Tensor, length: int) -> Tensor:
    left, right, ratio = _positions(samples.shape[-1], length, samples.device)
    return slerp(samples[..., left], samples[..., right], ratio)


def slerp(first: Tensor, second: Tensor, ratio: Tensor) -> Tensor:
    """Between vectors along dimension 1; `ratio` 0 is the first."""
    first_length, second_length = first.norm(dim=1, keepdim=True), second.norm(dim=1, keepdim=True)
    first_unit, second_unit = (first / first_length).nan_to_num(0.0), (second / second_length).nan_to_num(0.0)
    cosine = (first_unit * second_unit).sum(1, keepdim=True)
    angle = cosine.acos()
    turned = (((1.0 - ratio) * angle).sin() * first_unit + (ratio * angle).sin() * second_unit) / angle.sin()
    turned = turned * (first_length * (1.0 - ratio) + second_length * ratio)
    turned = torch.where(cosine > 1.0 - _PARALLEL, first, turned)
    return torch.where(cosine < _PARALLEL - 1.0, first * (1.0 - ratio) + second * ratio, turned)


def _positions(old: int, new: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """For each new position its left and right old neighbour, and how far it is from the left one."""

    def resized(values: Tensor) -> Tensor:
        return F.interpolate(values[None, None, None], size=(1, new), mode="bilinear")[0, 0, 0]

    place = resized(torch.arange(old, dtype=torch.float32, device=device))
    following = torch.arange(1, old + 1, dtype=torch.float32, device=device).clamp(max=old - 1)
    return place.long(), resized(following).long(), place.frac()
