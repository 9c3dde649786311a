"""Pictures laid over pictures, and alpha channels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from inglenook.errors import NodeError
from inglenook.nodes.image_batch import with_channels
from inglenook.nodes.mask import batched
from inglenook.nodes.registry import node
from inglenook.nodes.resampling import resize, resize_images


def same_channels(destination: Tensor, source: Tensor) -> Tensor:
    """`source` with as many channels as `destination`; a missing alpha channel is opaque."""
    return with_channels(source, destination.shape[-1])


def composite(
    destination: Tensor, source: Tensor, x: int, y: int, mask: Tensor | None = None, *, resize_source: bool = False
) -> Tensor:
    """`source` laid at (x, y) over `destination`, through `mask`; what hangs over is cut off.

    destination, source: [batch, channels, height, width]; the source is repeated over the batch. mask: [batch, height,
    width], scaled to the source; 1 shows the source. Returns a new tensor.
    """
    result = destination.clone()
    laid = source.to(destination)
    if resize_source:
        laid = resize(laid, destination.shape[-1], destination.shape[-2], "bilinear")
    laid = repeat_to(laid, len(destination))
    height, width = laid.shape[-2:]
    x, y = max(-width, min(x, destination.shape[-1])), max(-height, min(y, destination.shape[-2]))
    region = result[..., max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
    if not region.numel():
        return result
    window = (..., slice(max(-y, 0), max(-y, 0) + region.shape[-2]), slice(max(-x, 0), max(-x, 0) + region.shape[-1]))
    if mask is None:
        region.copy_(laid[window])
        return result
    scaled = resize(batched(mask)[:, None].to(destination), width, height, "bilinear")
    shown = repeat_to(scaled, len(destination))[window]
    region.copy_(shown * laid[window] + (1.0 - shown) * region)
    return result


def repeat_to(batch: Tensor, count: int) -> Tensor:
    """The first `count` entries of a batch, gone through again and again where there are fewer."""
    if len(batch) < count:
        batch = batch.repeat(-(-count // len(batch)), *[1] * (batch.ndim - 1))
    return batch[:count]


@node("ImageCompositeMasked")
def composite_masked(
    destination: Tensor, source: Tensor, x: int, y: int, resize_source: bool, mask: Tensor | None = None
) -> tuple[Tensor]:
    laid = same_channels(destination, source).movedim(-1, 1)
    result = composite(destination.movedim(-1, 1), laid, x, y, mask, resize_source=resize_source)
    return (result.movedim(1, -1),)


@node("JoinImageWithAlpha")
def join_alpha(image: Tensor, alpha: Tensor) -> tuple[Tensor]:
    """The picture with 1 - mask as its alpha channel."""
    count = min(len(image), len(batched(alpha)))
    opacity = 1.0 - resize(batched(alpha)[:, None], image.shape[2], image.shape[1], "bilinear")
    return (torch.cat((image[:count, ..., :3], opacity[:count].movedim(1, -1).to(image)), -1),)


@node("SplitImageWithAlpha")
def split_alpha(image: Tensor) -> tuple[Tensor, Tensor]:
    """The colours, and 1 - alpha as a mask."""
    mask = 1.0 - image[..., 3] if image.shape[-1] > 3 else torch.zeros_like(image[..., 0])
    return image[..., :3], mask


Rule = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""(source, source alpha, destination, destination alpha), colours premultiplied -> (colour, alpha)."""


def _union(a: Tensor, b: Tensor) -> Tensor:
    return a + b - a * b


def _overlay(s: Tensor, sa: Tensor, d: Tensor, da: Tensor) -> Tensor:
    return torch.where(2 * d < da, 2 * s * d, sa * da - 2 * (da - d) * (sa - s))


_RULES: dict[str, Rule] = {
    # Porter and Duff 1984; ADD to OVERLAY as the modes of that name in Android's PorterDuff.Mode (Apache-2.0).
    "ADD": lambda s, sa, d, da: ((s + d).clamp(0, 1), (sa + da).clamp(0, 1)),
    "CLEAR": lambda s, sa, d, da: (torch.zeros_like(d), torch.zeros_like(da)),
    "DARKEN": lambda s, sa, d, da: ((1 - da) * s + (1 - sa) * d + torch.minimum(s, d), _union(sa, da)),
    "DST": lambda s, sa, d, da: (d, da),
    "DST_ATOP": lambda s, sa, d, da: (sa * d + (1 - da) * s, sa),
    "DST_IN": lambda s, sa, d, da: (d * sa, sa * da),
    "DST_OUT": lambda s, sa, d, da: ((1 - sa) * d, (1 - sa) * da),
    "DST_OVER": lambda s, sa, d, da: (d + (1 - da) * s, da + (1 - da) * sa),
    "LIGHTEN": lambda s, sa, d, da: ((1 - da) * s + (1 - sa) * d + torch.maximum(s, d), _union(sa, da)),
    "MULTIPLY": lambda s, sa, d, da: (s * d, sa * da),
    "OVERLAY": lambda s, sa, d, da: (_overlay(s, sa, d, da), _union(sa, da)),
    "SCREEN": lambda s, sa, d, da: (_union(s, d), _union(sa, da)),
    "SRC": lambda s, sa, d, da: (s, sa),
    "SRC_ATOP": lambda s, sa, d, da: (da * s + (1 - sa) * d, da),
    "SRC_IN": lambda s, sa, d, da: (s * da, sa * da),
    "SRC_OUT": lambda s, sa, d, da: ((1 - da) * s, (1 - da) * sa),
    "SRC_OVER": lambda s, sa, d, da: (s + (1 - sa) * d, sa + (1 - sa) * da),
    "XOR": lambda s, sa, d, da: ((1 - da) * s + (1 - sa) * d, (1 - da) * sa + (1 - sa) * da),
}
_LEAST_ALPHA = 1e-5


@node("PorterDuffImageComposite")
def porter_duff(
    source: Tensor, source_alpha: Tensor, destination: Tensor, destination_alpha: Tensor, mode: str
) -> tuple[Tensor, Tensor]:
    """Compose two pictures, each with a mask (1 - alpha); all take the size of the destination picture."""
    if source.shape[-1] != destination.shape[-1]:
        raise NodeError(
            f"PorterDuffImageComposite: source has {source.shape[-1]} channels, destination {destination.shape[-1]}"
        )
    count = min(map(len, (source, batched(source_alpha), destination, batched(destination_alpha))))
    height, width = destination.shape[1:3]
    s = _sized(source[:count], width, height)
    d = destination[:count]
    sa = 1.0 - _sized(batched(source_alpha)[:count, ..., None], width, height)
    da = 1.0 - _sized(batched(destination_alpha)[:count, ..., None], width, height)
    colour, alpha = _RULES[mode](s * sa, sa, d * da, da)
    plain = torch.where(alpha > _LEAST_ALPHA, colour / alpha, torch.zeros_like(colour))
    return plain.clamp(0, 1), 1.0 - alpha[..., 0]


def _sized(image: Tensor, width: int, height: int) -> Tensor:
    if image.shape[1:3] == (height, width):
        return image
    return resize_images(image, width, height, "bicubic", "center")
