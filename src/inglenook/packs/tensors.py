"""The functions of ComfyUI's `comfy.utils` that work on pictures and latents, [batch, channels, height, width]."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from inglenook.models.tiles import in_tiles, starts
from inglenook.nodes.compositing import composite as laid_over
from inglenook.nodes.resampling import resize


class _Counter(Protocol):
    def update(self, value: float, /) -> None: ...


def common_upscale(samples: Tensor, width: int, height: int, upscale_method: str, crop: str) -> Tensor:
    """Resize by `nearest-exact`, `bilinear`, `area`, `bicubic`, `bislerp` or `lanczos`; crop: `center` or `disabled`.

    Dimensions between channels and height (time) are kept: each of their items is resized.
    """
    if samples.ndim <= 4:
        return resize(samples, width, height, upscale_method, crop)
    batch, channels, *between, old_height, old_width = samples.shape
    items = samples.flatten(2, -3).movedim(2, 1).reshape(-1, channels, old_height, old_width)
    resized = resize(items, width, height, upscale_method, crop)
    return resized.reshape(batch, -1, channels, height, width).movedim(2, 1).reshape(
        batch, channels, *between, height, width
    )  # fmt: skip


def composite(
    destination: Tensor,
    source: Tensor,
    x: int,
    y: int,
    mask: Tensor | None = None,
    multiplier: int = 8,
    resize_source: bool = False,
) -> Tensor:
    """`source` laid over `destination` at (x, y), which are `multiplier` to a pixel of theirs; returns a new tensor."""
    return laid_over(destination, source, x // multiplier, y // multiplier, mask, resize_source=resize_source)


def repeat_to_batch_size(tensor: Tensor, batch_size: int, dim: int = 0) -> Tensor:
    """Repeat, or cut, along a dimension until it is `batch_size` long."""
    length = tensor.shape[dim]
    if length < batch_size:
        repeats = [1] * tensor.ndim
        repeats[dim] = math.ceil(batch_size / length)
        tensor = tensor.repeat(repeats)
    return tensor.narrow(dim, 0, batch_size)


def resize_to_batch_size(tensor: Tensor, batch_size: int) -> Tensor:
    """Repeat or leave out items evenly until there are `batch_size`."""
    if tensor.shape[0] == batch_size:
        return tensor
    if batch_size <= 1:
        return tensor[:batch_size]
    positions = torch.linspace(0, tensor.shape[0] - 1, batch_size).round().long()
    return tensor[positions.to(tensor.device)]


def reshape_mask(input_mask: Tensor, output_shape: torch.Size | tuple[int, ...]) -> Tensor:
    """A mask as large as a latent of `output_shape`, for each of its items and channels."""
    mask = input_mask.reshape(-1, 1, *input_mask.shape[-2:])
    mask = F.interpolate(mask, size=tuple(output_shape[-2:]), mode="bilinear")
    return repeat_to_batch_size(mask.expand(-1, output_shape[1], -1, -1), output_shape[0])


def get_tiled_scale_steps(width: int, height: int, tile_x: int, tile_y: int, overlap: int) -> int:
    """How many tiles `tiled_scale` takes for one picture."""
    return len(starts(height, tile_y, overlap)) * len(starts(width, tile_x, overlap))


def tiled_scale(
    samples: Tensor,
    function: Callable[[Tensor], Tensor],
    tile_x: int = 64,
    tile_y: int = 64,
    overlap: int = 8,
    upscale_amount: float = 4,
    out_channels: int = 3,
    output_device: torch.device | str = "cpu",
    pbar: _Counter | None = None,
) -> Tensor:
    """Apply a function that enlarges pictures `upscale_amount` times to overlapping tiles, and blend the results.

    Returns float32 [batch, out_channels, height, width]; pbar: told of each tile.
    """

    def done() -> None:
        if pbar is not None:
            pbar.update(1)

    pictures = [
        in_tiles(function, item, (tile_y, tile_x), overlap, upscale_amount, done)
        for item in samples.chunk(len(samples))
    ]
    result = torch.cat(pictures)
    if result.shape[1] != out_channels:
        raise ValueError(f"the function gave {result.shape[1]} channels, out_channels says {out_channels}")
    return result.to(output_device)
