"""Pictures cut, turned, and put side by side."""

from __future__ import annotations

import torch
from torch import Tensor

from inglenook.nodes.image_batch import with_channels
from inglenook.nodes.registry import node
from inglenook.nodes.resampling import resize_images

_QUARTER_TURNS = {"none": 0, "90 degrees": 1, "180 degrees": 2, "270 degrees": 3}
_COLOURS = {
    "white": (1.0, 1.0, 1.0),
    "black": (0.0, 0.0, 0.0),
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
}


@node("ImageCrop")
def crop(image: Tensor, width: int, height: int, x: int, y: int) -> tuple[Tensor]:
    """At least one pixel, however far out (x, y) is."""
    x, y = min(x, image.shape[2] - 1), min(y, image.shape[1] - 1)
    return (image[:, y : y + height, x : x + width],)


@node("ImageFlip")
def flip(image: Tensor, flip_method: str) -> tuple[Tensor]:
    return (image.flip(1 if flip_method.startswith("x") else 2),)


@node("ImageRotate")
def rotate(image: Tensor, rotation: str) -> tuple[Tensor]:
    """Clockwise."""
    return (image.rot90(_QUARTER_TURNS[rotation], (2, 1)),)


@node("ResizeAndPadImage")
def resize_and_pad(
    image: Tensor, target_width: int, target_height: int, padding_color: str, interpolation: str
) -> tuple[Tensor]:
    """The picture as large as fits, in the middle of the target."""
    height, width = image.shape[1:3]
    scale = min(target_width / width, target_height / height)
    resized = resize_images(image, max(1, int(width * scale)), max(1, int(height * scale)), interpolation)
    top, left = (target_height - resized.shape[1]) // 2, (target_width - resized.shape[2]) // 2
    ground = 1.0 if padding_color == "white" else 0.0
    padded = image.new_full((len(image), target_height, target_width, image.shape[-1]), ground)
    padded[:, top : top + resized.shape[1], left : left + resized.shape[2]] = resized
    return (padded,)


@node("ImageStitch")
def stitch(
    image1: Tensor,
    direction: str,
    match_image_size: bool,
    spacing_width: int,
    spacing_color: str,
    image2: Tensor | None = None,
) -> tuple[Tensor]:
    """The second picture beside the first, on the side that `direction` names.

    match_image_size: the second is scaled to the shared side; otherwise the smaller one is padded with the colour.
    """
    if image2 is None:
        return (image1,)
    dimension = 2 if direction in ("left", "right") else 1
    shared = 3 - dimension
    first, second = _same_count(image1, image2)
    if match_image_size:
        second = _matched(second, first, shared)
    channels = max(first.shape[-1], second.shape[-1])
    colour = image1.new_tensor([*_COLOURS[spacing_color], 1.0][:channels])
    length = max(first.shape[shared], second.shape[shared])
    parts = [_padded(with_channels(part, channels), shared, length, colour) for part in (first, second)]
    if direction in ("left", "up"):
        parts.reverse()
    if spacing_width:
        shape = [*parts[0].shape]
        shape[dimension] = spacing_width + spacing_width % 2
        parts.insert(1, colour.expand(shape))
    return (torch.cat(parts, dimension),)


def _same_count(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Both with the length of the longer batch; the last picture of the shorter one is repeated."""
    count = max(len(first), len(second))
    return _lengthened(first, count), _lengthened(second, count)


def _lengthened(image: Tensor, count: int) -> Tensor:
    return torch.cat((image, image[-1:].expand(count - len(image), -1, -1, -1)))


def _matched(image: Tensor, other: Tensor, shared: int) -> Tensor:
    """`image` scaled so that its shared side (dimension 1 or 2) is as long as that of `other`."""
    height, width = image.shape[1:3]
    if shared == 1:
        new_height, new_width = other.shape[1], int(other.shape[1] * (width / height))
    else:
        new_height, new_width = int(other.shape[2] / (width / height)), other.shape[2]
    return resize_images(image, max(1, new_width), max(1, new_height), "lanczos")


def _padded(image: Tensor, dimension: int, length: int, colour: Tensor) -> Tensor:
    """The picture in the middle of `length` pixels of the colour along a dimension."""
    missing = length - image.shape[dimension]
    if not missing:
        return image
    shape = [*image.shape]
    shape[dimension] = length
    ground = colour.expand(shape).clone()
    ground.narrow(dimension, missing // 2, image.shape[dimension]).copy_(image)
    return ground
