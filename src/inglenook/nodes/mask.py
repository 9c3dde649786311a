"""Masks: float32 [batch, height, width], 0..1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from inglenook.engine import context
from inglenook.errors import NodeError
from inglenook.media import pixels
from inglenook.nodes.environment import environment
from inglenook.nodes.image import file_hash, preview_image
from inglenook.nodes.registry import node

_CHANNELS = ("red", "green", "blue", "alpha")


def batched(mask: Tensor) -> Tensor:
    """The mask as [batch, height, width], whatever leading dimensions it has."""
    return mask.reshape(-1, *mask.shape[-2:])


@node("LoadImageMask", fingerprint=file_hash)
def load_image_mask(image: str, channel: str) -> tuple[Tensor]:
    path = environment().folders.resolve_annotated(image)
    return (torch.from_numpy(pixels.decode_channel(path, channel, round(environment().max_megapixels * 1e6)))[None],)


@node("MaskPreview")
def mask_preview(mask: Tensor, prompt: Any = None, extra_pnginfo: Any = None) -> dict[str, Any]:
    return preview_image(mask_to_image(mask)[0], prompt, extra_pnginfo)


@node("SolidMask")
def solid(value: float, width: int, height: int) -> tuple[Tensor]:
    return (torch.full((1, height, width), value, dtype=torch.float32),)


@node("InvertMask")
def invert(mask: Tensor) -> tuple[Tensor]:
    return (1.0 - mask,)


@node("MaskToImage")
def mask_to_image(mask: Tensor) -> tuple[Tensor]:
    return (batched(mask)[..., None].expand(-1, -1, -1, 3),)


@node("ImageToMask")
def image_to_mask(image: Tensor, channel: str) -> tuple[Tensor]:
    index = _CHANNELS.index(channel)
    if index >= image.shape[-1]:
        raise NodeError(f"ImageToMask: the picture has {image.shape[-1]} channels, none of them {channel}")
    return (image[..., index],)


@node("ImageColorToMask")
def color_to_mask(image: Tensor, color: int) -> tuple[Tensor]:
    """1 where the picture, rounded to 8 bits, has the colour 0xRRGGBB."""
    levels = (image[..., :3].clamp(0, 1) * 255).round().to(torch.int32)
    value = (levels[..., 0] << 16) + (levels[..., 1] << 8) + levels[..., 2]
    return ((value == color).to(torch.float32),)


@node("CropMask")
def crop(mask: Tensor, x: int, y: int, width: int, height: int) -> tuple[Tensor]:
    return (batched(mask)[:, y : y + height, x : x + width],)


@node("ThresholdMask")
def threshold(mask: Tensor, value: float) -> tuple[Tensor]:
    return ((mask > value).to(torch.float32),)


@node("FeatherMask")
def feather(mask: Tensor, left: int, top: int, right: int, bottom: int) -> tuple[Tensor]:
    """Fade the mask out towards its sides.

    The ramps of the right and bottom sides begin at the opposite edge, as ComfyUI's do: their first factor falls on
    column and row 0.
    """
    output = batched(mask).clone()
    height, width = output.shape[-2:]
    left, top = min(left, width), min(top, height)
    right, bottom = min(right, width - left), min(bottom, height - top)
    output[..., :left] *= _ramp(left)
    output[..., _from_the_end(right)] *= _ramp(right)
    output[..., :top, :] *= _ramp(top)[:, None]
    output[..., _from_the_end(bottom), :] *= _ramp(bottom)[:, None]
    return (output,)


def _ramp(length: int) -> Tensor:
    return torch.arange(1, length + 1) / max(length, 1)


def _from_the_end(length: int) -> Tensor:
    return -torch.arange(length)


@node("GrowMask")
def grow(mask: Tensor, expand: int, tapered_corners: bool) -> tuple[Tensor]:
    """Widen the bright parts by `expand` pixels, narrow them when negative; tapered: in a diamond."""
    sign = 1.0 if expand >= 0 else -1.0
    grown = sign * batched(mask)[:, None]
    steps = min(abs(expand), sum(grown.shape[-2:]))  # more change nothing
    if tapered_corners:
        for _ in range(steps):
            context.check_interrupted()
            grown = torch.maximum(F.max_pool2d(grown, (3, 1), 1, (1, 0)), F.max_pool2d(grown, (1, 3), 1, (0, 1)))
    elif steps:
        grown = _widest(_widest(grown, steps).mT, steps).mT
    return (sign * grown[:, 0],)


def _widest(values: Tensor, radius: int) -> Tensor:
    """The largest value within `radius` along the last dimension, by windows that double."""
    span, target = 1, 2 * radius + 1
    values = F.pad(values, (radius, radius), value=-torch.inf)
    while span < target:
        step = min(span, target - span)
        values = torch.maximum(values[..., :-step], values[..., step:])
        span += step
    return values


_OPERATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "multiply": torch.mul,
    "add": torch.add,
    "subtract": torch.sub,
    "and": lambda one, other: (one.round().bool() & other.round().bool()).to(one.dtype),
    "or": lambda one, other: (one.round().bool() | other.round().bool()).to(one.dtype),
    "xor": lambda one, other: (one.round().bool() ^ other.round().bool()).to(one.dtype),
}


@node("MaskComposite")
def composite(destination: Tensor, source: Tensor, x: int, y: int, operation: str) -> tuple[Tensor]:
    """Combine `source`, laid at (x, y), into `destination`; what hangs over is cut off."""
    output, laid = batched(destination).clone(), batched(source)
    if len(output) == 1 and len(laid) > 1:
        output = output.repeat(len(laid), 1, 1)
    region = output[:, y : y + laid.shape[-2], x : x + laid.shape[-1]]
    if region.numel():
        region.copy_(_OPERATIONS[operation](region, laid[:, : region.shape[-2], : region.shape[-1]]))
    return (output.clamp(0.0, 1.0),)
