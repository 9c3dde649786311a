"""Nodes that change or tell the size of pictures."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from inglenook.engine import context
from inglenook.engine.events import Text
from inglenook.nodes.registry import node
from inglenook.nodes.resampling import resize_images


@node("ImageScale")
def scale(image: Tensor, upscale_method: str, width: int, height: int, crop: str) -> tuple[Tensor]:
    """A width or height of 0 follows the other one; both 0 leave the picture as it is."""
    if width == 0 and height == 0:
        return (image,)
    old_height, old_width = image.shape[1:3]
    width = width or max(1, round(old_width * height / old_height))
    height = height or max(1, round(old_height * width / old_width))
    return (resize_images(image, width, height, upscale_method, crop),)


@node("ImageScaleBy")
def scale_by(image: Tensor, upscale_method: str, scale_by: float) -> tuple[Tensor]:
    height, width = image.shape[1:3]
    return (resize_images(image, max(1, round(width * scale_by)), max(1, round(height * scale_by)), upscale_method),)


@node("ImageScaleToTotalPixels")
def scale_to_total_pixels(image: Tensor, upscale_method: str, megapixels: float) -> tuple[Tensor]:
    """A megapixel is 1024 x 1024."""
    height, width = image.shape[1:3]
    return scale_by(image, upscale_method, math.sqrt(int(megapixels * 1024 * 1024) / (width * height)))


@node("ImageScaleToMaxDimension")
def scale_to_max_dimension(image: Tensor, upscale_method: str, largest_size: int) -> tuple[Tensor]:
    height, width = image.shape[1:3]
    if height > width:
        width, height = round(width / height * largest_size), largest_size
    else:
        width, height = largest_size, round(height / width * largest_size)
    return (resize_images(image, max(1, width), max(1, height), upscale_method),)


@node("ImagePadForOutpaint")
def pad_for_outpaint(
    image: Tensor, left: int, top: int, right: int, bottom: int, feathering: int
) -> tuple[Tensor, Tensor]:
    """The picture on a grey ground, and a mask: 1 on the ground, falling to 0 over `feathering` pixels inside."""
    batch, height, width, channels = image.shape
    padded = torch.full((batch, height + top + bottom, width + left + right, channels), 0.5, dtype=image.dtype)
    padded[:, top : top + height, left : left + width] = image
    mask = torch.ones(1, height + top + bottom, width + left + right)
    mask[:, top : top + height, left : left + width] = _feather(height, width, left, top, right, bottom, feathering)
    return padded, mask


def _feather(height: int, width: int, left: int, top: int, right: int, bottom: int, feathering: int) -> Tensor:
    """((feathering - distance to the nearest padded side) / feathering) squared; 0 where the picture is too small."""
    if feathering <= 0 or feathering * 2 >= min(height, width):
        return torch.zeros(height, width)
    y, x = torch.arange(height)[:, None], torch.arange(width)[None, :]
    distances = [
        distance.expand(height, width)
        for distance, side in ((y, top), (height - y, bottom), (x, left), (width - x, right))
        if side != 0
    ]
    if not distances:
        return torch.zeros(height, width)
    distance = torch.stack(distances).amin(0)
    return ((feathering - distance).clamp(min=0).to(torch.float64) / feathering).square().to(torch.float32)


@node("GetImageSize")
def size_of(image: Tensor, unique_id: str | None = None) -> tuple[int, int, int]:
    batch, height, width = image.shape[:3]
    current = context.current()
    if current is not None:
        current.emit(Text(current.node, f"width: {width}, height: {height}\n batch size: {batch}"))
    return width, height, batch
