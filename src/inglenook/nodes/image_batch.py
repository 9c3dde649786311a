"""Nodes that put pictures together into batches and take them apart."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from inglenook.errors import NodeError
from inglenook.nodes.registry import node
from inglenook.nodes.resampling import resize_images


@node("ImageBatch")
def batch(image1: Tensor, image2: Tensor) -> tuple[Tensor]:
    """The second picture takes the size of the first; a missing alpha channel is opaque."""
    channels = max(image1.shape[-1], image2.shape[-1])
    first, second = with_channels(image1, channels), with_channels(image2, channels)
    if first.shape[1:] != second.shape[1:]:
        second = resize_images(second, first.shape[2], first.shape[1], "bilinear", "center")
    return (torch.cat((first, second)),)


def with_channels(image: Tensor, channels: int) -> Tensor:
    """The picture with further channels of ones, or without its last ones."""
    if image.shape[-1] >= channels:
        return image[..., :channels]
    return F.pad(image, (0, channels - image.shape[-1]), value=1.0)


@node("RepeatImageBatch")
def repeat(image: Tensor, amount: int) -> tuple[Tensor]:
    return (image.repeat(amount, 1, 1, 1),)


@node("ImageFromBatch")
def from_batch(image: Tensor, batch_index: int, length: int) -> tuple[Tensor]:
    """`length` pictures from `batch_index` on, as far as there are any; at least one."""
    first = min(len(image) - 1, batch_index)
    if first == 0 and length >= len(image):
        return (image,)
    return (image[first : first + length].clone(),)


@node("RebatchImages")
def rebatch(images: list[Tensor], batch_size: list[int]) -> tuple[list[Tensor]]:
    """All pictures of all batches in batches of `batch_size`, the last one with what is left."""
    singles = [single for image in images for single in torch.split(image, 1)]
    groups = [singles[start : start + batch_size[0]] for start in range(0, len(singles), batch_size[0])]
    for group in groups:
        sizes = {tuple(single.shape[1:]) for single in group}
        if len(sizes) > 1:
            raise NodeError(f"RebatchImages: pictures of different sizes cannot share a batch: {sorted(sizes)}")
    return ([torch.cat(group) for group in groups],)
