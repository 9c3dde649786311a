"""Pictures become latents, and latents pictures."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from inglenook.errors import NodeError
from inglenook.models.handles import Vae
from inglenook.models.vae import Tiling, decode_latents, encode_images
from inglenook.nodes.registry import node

_GREY = 0.5


@node("VAEDecode")
def decode(samples: dict[str, Any], vae: Vae | None) -> tuple[Tensor]:
    return (decode_latents(present_vae(vae), samples["samples"]),)


@node("VAEEncode")
def encode(pixels: Tensor, vae: Vae | None) -> tuple[dict[str, Any]]:
    return ({"samples": encode_images(present_vae(vae), pixels)},)


@node("VAEEncodeForInpaint")
def encode_for_inpaint(pixels: Tensor, vae: Vae | None, mask: Tensor, grow_mask_by: int = 6) -> tuple[dict[str, Any]]:
    vae = present_vae(vae)
    pixels, mask = fit_to_vae(vae, pixels, mask)
    hidden = mask.round().movedim(1, -1)
    greyed = (pixels - _GREY) * (1.0 - hidden) + _GREY
    return ({"samples": encode_images(vae, greyed), "noise_mask": grow(mask, grow_mask_by).round()},)


@node("VAEDecodeTiled")
def decode_tiled(
    samples: dict[str, Any],
    vae: Vae | None,
    tile_size: int,
    overlap: int = 64,
    temporal_size: int = 64,
    temporal_overlap: int = 8,
) -> tuple[Tensor]:
    vae = present_vae(vae)
    overlap = min(overlap, tile_size // 4)
    return (decode_latents(vae, samples["samples"], Tiling.of(tile_size, tile_size, overlap, vae.part.pixels)),)


@node("VAEEncodeTiled")
def encode_tiled(
    pixels: Tensor,
    vae: Vae | None,
    tile_size: int,
    overlap: int,
    temporal_size: int = 64,
    temporal_overlap: int = 8,
) -> tuple[dict[str, Any]]:
    vae = present_vae(vae)
    tiling = Tiling.of(tile_size, tile_size, overlap, vae.part.pixels)
    return ({"samples": encode_images(vae, pixels, tiling)},)


def fit_to_vae(vae: Vae, pixels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures and their mask, [batch, 1, h, w], cut around the middle to sides that the VAE takes."""
    side = vae.part.pixels
    mask = F.interpolate(mask.reshape(-1, 1, *mask.shape[-2:]), size=pixels.shape[1:3], mode="bilinear")
    height, width = pixels.shape[1] // side * side, pixels.shape[2] // side * side
    top, left = (pixels.shape[1] - height) // 2, (pixels.shape[2] - width) // 2
    pixels = pixels[:, top : top + height, left : left + width, :3]
    return pixels, mask[:, :, top : top + height, left : left + width]


def grow(mask: Tensor, by: int) -> Tensor:
    """Widen the white parts of a mask, [batch, 1, h, w], by a square of `by` pixels."""
    if by == 0:
        return mask
    kernel = torch.ones(1, 1, by, by)
    grown = F.conv2d(mask.round(), kernel, padding=math.ceil((by - 1) / 2)).clamp(0, 1)
    return grown[:, :, : mask.shape[2], : mask.shape[3]]


def present_vae(vae: Vae | None) -> Vae:
    """The VAE; NodeError where a checkpoint has none."""
    if vae is None:
        raise NodeError("the checkpoint has no VAE; load one with VAELoader")
    return vae
