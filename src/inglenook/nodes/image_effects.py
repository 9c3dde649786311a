"""Effects on pictures: blending, blur, sharpening, noise, fewer colours, morphology."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from inglenook.engine import context
from inglenook.nodes.image_batch import with_channels
from inglenook.nodes.registry import node
from inglenook.nodes.resampling import resize_images, to_numpy

Blend = Callable[[Tensor, Tensor], Tensor]


def _soft_light(below: Tensor, above: Tensor) -> Tensor:
    """W3C Compositing and Blending Level 1, section 10."""
    lifted = torch.where(below <= 0.25, ((16 * below - 12) * below + 4) * below, below.sqrt())
    darker = below - (1 - 2 * above) * below * (1 - below)
    return torch.where(above <= 0.5, darker, below + (2 * above - 1) * (lifted - below))


_BLENDS: dict[str, Blend] = {
    "normal": lambda below, above: above,
    "multiply": lambda below, above: below * above,
    "screen": lambda below, above: 1 - (1 - below) * (1 - above),
    "overlay": lambda below, above: torch.where(below <= 0.5, 2 * below * above, 1 - 2 * (1 - below) * (1 - above)),
    "soft_light": _soft_light,
    "difference": lambda below, above: below - above,  # with its sign, as ComfyUI
}


@node("ImageBlend")
def blend(image1: Tensor, image2: Tensor, blend_factor: float, blend_mode: str) -> tuple[Tensor]:
    """The second picture, scaled to the first, blended into it."""
    above = with_channels(image2, image1.shape[-1]).to(image1)
    if above.shape[1:] != image1.shape[1:]:
        above = resize_images(above, image1.shape[2], image1.shape[1], "bicubic", "center")
    blended = _BLENDS[blend_mode](image1, above)
    return ((image1 * (1 - blend_factor) + blended * blend_factor).clamp(0, 1),)


def _bell(size: int, sigma: float) -> Tensor:
    """A normalised Gaussian over [-1, 1] in `size` steps; `sigma` is in units of that interval."""
    values = torch.exp(-(torch.linspace(-1, 1, size) ** 2) / (2 * sigma * sigma))
    return values / values.sum()


def _blurred(image: Tensor, radius: int, sigma: float) -> Tensor:
    """[batch, height, width, channels] with the Gaussian of 2 * radius + 1 steps, mirrored at the borders."""
    channels = image.shape[-1]
    kernel = _bell(2 * radius + 1, sigma).to(image)
    samples = _mirrored(image.movedim(-1, 1), radius)
    samples = F.conv2d(samples, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    samples = F.conv2d(samples, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return samples.movedim(1, -1)


def _mirrored(samples: Tensor, radius: int) -> Tensor:
    """Padded by `radius` on each side; where the picture is smaller than that, with its border."""
    mode = "reflect" if radius < min(samples.shape[-2:]) else "replicate"
    return F.pad(samples, (radius,) * 4, mode=mode)


@node("ImageBlur")
def blur(image: Tensor, blur_radius: int, sigma: float) -> tuple[Tensor]:
    return (_blurred(image, blur_radius, sigma) if blur_radius else image,)


@node("ImageSharpen")
def sharpen(image: Tensor, sharpen_radius: int, sigma: float, alpha: float) -> tuple[Tensor]:
    """The picture plus 10 * alpha times its difference from a blurred one."""
    if sharpen_radius == 0:
        return (image,)
    return ((image + alpha * 10 * (image - _blurred(image, sharpen_radius, sigma))).clamp(0, 1),)


@node("ImageAddNoise")
def add_noise(image: Tensor, seed: int, strength: float) -> tuple[Tensor]:
    """Gaussian noise, drawn on the CPU from the seed."""
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))
    return ((image + strength * noise.to(image)).clamp(0, 1),)


@node("ImageQuantize")
def quantize(image: Tensor, colors: int, dither: str) -> tuple[Tensor]:
    """Each picture with a palette of its own."""
    return (torch.stack([_quantized(picture, colors, dither) for picture in image]),)


def _quantized(picture: Tensor, colors: int, dither: str) -> Tensor:
    context.check_interrupted()
    pixels = (to_numpy(picture[..., :3]) * np.float32(255)).clip(0, 255).astype(np.uint8)
    colours = Image.fromarray(pixels)
    palette = colours.quantize(colors)
    method = Image.Dither.NONE
    if dither == "floyd-steinberg":
        method = Image.Dither.FLOYDSTEINBERG
    elif dither.startswith("bayer-"):
        colours = _ordered(pixels, int(dither.removeprefix("bayer-")), len(palette.getpalette() or ()) // 3)
    reduced = colours.quantize(colors, palette=palette, dither=method).convert("RGB")
    return torch.from_numpy(np.array(reduced, np.float32) / np.float32(255))


def _ordered(pixels: NDArray[np.uint8], order: int, colors: int) -> Image.Image:
    """The pixels shifted by a Bayer pattern (Bayer 1973) of `order` x `order`, spread over twice the palette's step."""
    height, width = pixels.shape[:2]
    pattern = 2 * 256 / colors * _bayer(order) + 0.5
    tiled = np.tile(pattern, (-(-height // order), -(-width // order)))[:height, :width, None]
    shifted = (pixels.astype(np.float32) + tiled.astype(np.float32)).clip(0, 255)
    return Image.fromarray(shifted.astype(np.uint8))


def _bayer(order: int) -> NDArray[np.float64]:
    """Thresholds -0.5 .. 0.5 of an ordered dither; order: a power of two."""
    ranks = np.zeros((1, 1))
    for _ in range(round(math.log2(order))):
        ranks = np.block([[4 * ranks, 4 * ranks + 2], [4 * ranks + 3, 4 * ranks + 1]])
    return (ranks + 0.5) / ranks.size - 0.5


def _dilated(image: Tensor, size: int) -> Tensor:
    """The largest value in a window of `size` x `size`; what lies outside does not count."""
    before, after = size // 2, size - size // 2 - 1
    samples = F.pad(image.movedim(-1, 1), (before, after, before, after), value=-torch.inf)
    return F.max_pool2d(F.max_pool2d(samples, (1, size), 1), (size, 1), 1).movedim(1, -1)


def _eroded(image: Tensor, size: int) -> Tensor:
    return -_dilated(-image, size)


_MORPHOLOGIES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "erode": _eroded,
    "dilate": _dilated,
    "open": lambda image, size: _dilated(_eroded(image, size), size),
    "close": lambda image, size: _eroded(_dilated(image, size), size),
    "gradient": lambda image, size: _dilated(image, size) - _eroded(image, size),
    "bottom_hat": lambda image, size: _eroded(_dilated(image, size), size) - image,
    "top_hat": lambda image, size: image - _dilated(_eroded(image, size), size),
}


@node("Morphology")
def morphology(image: Tensor, operation: str, kernel_size: int) -> tuple[Tensor]:
    """Grey-scale morphology with a square, each channel by itself."""
    return (_MORPHOLOGIES[operation](image, kernel_size),)
