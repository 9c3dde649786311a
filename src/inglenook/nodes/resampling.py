"""Resizing of pictures, masks and latents, with the results of ComfyUI's nodes."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from inglenook.media.pixels import quantize
from inglenook.nodes.bislerp import bislerp


def resize(samples: Tensor, width: int, height: int, method: str, crop: str = "disabled") -> Tensor:
    """Resize [batch, channels, height, width] without antialiasing.

    method: `nearest-exact`, `bilinear`, `area`, `bicubic`, `bislerp`, or `lanczos` (pictures only: through 8-bit
    values).
    crop: `center` first cuts the sides off so that the aspect ratio stays.
    """
    if crop == "center":
        samples = cut_to_aspect(samples, width, height)
    if method == "lanczos":
        return lanczos(samples, width, height)
    if method == "bislerp":
        return bislerp(samples, width, height)
    return F.interpolate(samples, size=(height, width), mode=method)


def resize_images(images: Tensor, width: int, height: int, method: str, crop: str = "disabled") -> Tensor:
    """`resize` for IMAGE tensors, [batch, height, width, channels]."""
    return resize(images.movedim(-1, 1), width, height, method, crop).movedim(1, -1)


def cut_to_aspect(samples: Tensor, width: int, height: int) -> Tensor:
    """Cut the sides off, so that the aspect ratio is that of `width` and `height`."""
    old_height, old_width = samples.shape[-2:]
    old_aspect, new_aspect = old_width / old_height, width / height
    x = round((old_width - old_width * (new_aspect / old_aspect)) / 2) if old_aspect > new_aspect else 0
    y = round((old_height - old_height * (old_aspect / new_aspect)) / 2) if old_aspect < new_aspect else 0
    return samples[..., y : old_height - y, x : old_width - x]


def lanczos(samples: Tensor, width: int, height: int) -> Tensor:
    """Resize pictures, [batch, channels, height, width], through 8-bit values."""
    pictures = [_lanczos_one(quantize(to_numpy(sample.movedim(0, -1))), width, height) for sample in samples]
    return torch.from_numpy(np.stack(pictures)).movedim(-1, 1).to(samples.device, samples.dtype)


def _lanczos_one(
    pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], width: int, height: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    resized = np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS), np.float32)
    return resized.reshape(height, width, -1) / np.float32(255)


def to_numpy(tensor: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The values as float32 in main memory; shares it where it can."""
    values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
    values = tensor.detach().to("cpu", torch.float32).numpy()
    return values
