"""Picture files as arrays, the way nodes want them. Imports numpy; what works on files as they are is in `images`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from inglenook.media import images


@dataclass(frozen=True, slots=True)
class Decoded:
    """The frames of a picture file."""

    images: NDArray[np.float32]
    """[frames, height, width, 3], 0..1"""
    masks: NDArray[np.float32] | None
    """[frames, height, width], 1 - alpha; None when no frame has transparency."""


_SINGLE_FRAME = frozenset({"MPO"})
"""Formats whose further frames are other views of the same picture."""


def decode(source: images.Source, max_pixels: int = images.MAX_PIXELS) -> Decoded:
    """All frames of a picture that have the size of the first one, turned as its EXIF orientation says.

    Raises MediaError as `opened` does, FileNotFoundError.
    """
    name = source.name if isinstance(source, Path) else "the picture"
    pictures: list[NDArray[np.float32]] = []
    masks: list[NDArray[np.float32] | None] = []
    with images.opened(source, max_pixels) as file:
        for frame in _frames(file):
            picture = images.upright(frame)
            pixels = _rgb(picture)
            if pictures and pixels.shape != pictures[0].shape:
                continue
            images.check_size(picture.width, picture.height, len(pictures) + 1, max_pixels, name)
            pictures.append(pixels)
            masks.append(_mask(picture))
    if all(mask is None for mask in masks):
        return Decoded(np.stack(pictures), None)
    opaque = np.zeros(pictures[0].shape[:2], np.float32)
    return Decoded(np.stack(pictures), np.stack([opaque if mask is None else mask for mask in masks]))


def decode_channel(source: images.Source, channel: str, max_pixels: int = images.MAX_PIXELS) -> NDArray[np.float32]:
    """One channel of the first frame of a picture as a mask [height, width], 0..1.

    channel: `red`, `green`, `blue`, or `alpha`, which is inverted: 1 where the picture is transparent.
    """
    with images.opened(source, max_pixels) as file:
        picture = images.upright(file)
        if channel == "alpha":
            mask = _mask(picture)
            return np.zeros((picture.height, picture.width), np.float32) if mask is None else mask
        return np.ascontiguousarray(_rgb(picture)[..., ("red", "green", "blue").index(channel)])


def _frames(file: Image.Image) -> Iterator[Image.Image]:
    if getattr(file, "n_frames", 1) == 1 or file.format in _SINGLE_FRAME:
        yield file
    else:
        yield from ImageSequence.Iterator(file)


def _rgb(image: Image.Image) -> NDArray[np.float32]:
    """[height, width, 3], 0..1."""
    grey = _deep_grey(image)
    if grey is not None:
        return np.repeat(grey[..., None], 3, axis=-1)
    if image.mode in ("RGBa", "La"):
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"), np.float32) / np.float32(255)


def _deep_grey(image: Image.Image) -> NDArray[np.float32] | None:
    """[height, width], 0..1, of an image with one channel of more than 8 bits."""
    if image.mode.startswith("I"):
        return _clipped(np.asarray(image).astype(np.float32), np.float32(65535))
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image, np.float32))
        return _clipped(values, np.float32(255 if values.max(initial=0) > 1 else 1))
    return None


def _clipped(values: NDArray[np.float32], scale: np.float32) -> NDArray[np.float32]:
    return (values / scale).clip(np.float32(0), np.float32(1))


def _mask(image: Image.Image) -> NDArray[np.float32] | None:
    if image.has_transparency_data:
        alpha = image.getchannel("A") if "A" in image.getbands() else image.convert("RGBA").getchannel("A")
        mask: NDArray[np.float32] = np.float32(1) - np.asarray(alpha, np.float32) / np.float32(255)
        return mask
    return None


def eight_bit_grey(image: Image.Image) -> Image.Image:
    """An image of mode L from one with a single channel of more than 8 bits."""
    grey = _deep_grey(image)
    assert grey is not None
    return Image.fromarray(quantize(grey))


def quantize(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0..1 to 0..255, cut off as ComfyUI does, not rounded; any shape."""
    with np.errstate(invalid="ignore"):  # not-a-number becomes some byte
        scaled: NDArray[np.uint8] = (pixels * np.float32(255)).clip(0, 255).astype(np.uint8)
    return scaled
