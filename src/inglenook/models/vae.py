"""From pictures to latents and back, in one pass or in tiles."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from inglenook.engine.context import check_interrupted
from inglenook.errors import NodeError
from inglenook.models.handles import Vae
from inglenook.models.load import compute_dtype
from inglenook.models.memory import is_out_of_memory
from inglenook.models.tiles import in_tiles

logger = logging.getLogger(__name__)

TILE = 64
"""Side of a tile when one pass does not fit, latent pixels."""
OVERLAP = 16
"""Overlap of tiles, latent pixels."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """Pieces to work in, latent pixels."""

    height: int = TILE
    width: int = TILE
    overlap: int = OVERLAP

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < min(self.height, self.width):
            raise NodeError(
                f"tiles of {self.width}x{self.height} cannot overlap by {self.overlap} latent pixels: take fewer"
            )

    def shapes(self) -> tuple[Tiling, Tiling, Tiling]:
        """The three cuts whose results ComfyUI averages: tall, wide, and the wanted one."""
        half_height, half_width = max(self.height // 2, 1), max(self.width // 2, 1)
        cuts = ((self.height * 2, half_width), (half_height, self.width * 2), (self.height, self.width))
        tall, wide, wanted = (Tiling(rows, columns, self._overlap_in(rows, columns)) for rows, columns in cuts)
        return tall, wide, wanted

    def _overlap_in(self, rows: int, columns: int) -> int:
        """The overlap for tiles of another shape: half of a side at most, else there would be a tile for each pixel."""
        shorter = min(rows, columns)
        return self.overlap if shorter >= min(self.height, self.width) else min(self.overlap, shorter // 2)

    @classmethod
    def of(cls, width: int | None, height: int | None, overlap: int | None, unit: int = 1) -> Tiling:
        """From sizes in `unit`s of a latent pixel; the usual one in place of None."""
        sizes = zip((height, width, overlap), (TILE, TILE, OVERLAP), strict=True)
        return cls(*(usual if size is None else max(size // unit, 0) for size, usual in sizes))


def decode_latents(vae: Vae, latents: Tensor, tiling: Tiling | None = None) -> Tensor:
    """Turn latents into pictures.

    latents: [batch, channels, h, w], unscaled; returns [batch, height, width, 3], 0..1, float32, on the CPU. One
    picture at a time, in tiles with `tiling`; falls back to tiles when one does not fit into memory.
    """
    if latents.ndim != 4 or latents.shape[1] != vae.part.channels:
        raise NodeError(
            f"the latent is {tuple(latents.shape)}, the VAE takes [batch, {vae.part.channels}, height, width]"
        )

    def decode(module: nn.Module, z: Tensor) -> Tensor:
        return module.decode(z, return_dict=False)[0]  # type: ignore[operator, no-any-return]

    pictures = _one_by_one(vae, latents, decode, tiling, 1, float(vae.part.pixels))
    return ((pictures + 1.0) / 2.0).clamp_(0.0, 1.0).movedim(1, -1).contiguous()


def encode_images(vae: Vae, images: Tensor, tiling: Tiling | None = None) -> Tensor:
    """Turn pictures into latents (the means of their distributions).

    images: [batch, height, width, 3 or more], 0..1; sides are cropped around the middle to multiples of 8, further
    channels are ignored; returns [batch, channels, h, w], unscaled, float32, on the CPU. Tiles as `decode_latents`.
    """
    pixels = vae.part.pixels
    height, width = images.shape[1] // pixels * pixels, images.shape[2] // pixels * pixels
    if not height or not width:
        raise NodeError(f"the image is {images.shape[2]}x{images.shape[1]}; it must be at least {pixels}x{pixels}")
    top, left = (images.shape[1] - height) // 2, (images.shape[2] - width) // 2
    cropped = images[:, top : top + height, left : left + width, :3]

    def encode(module: nn.Module, x: Tensor) -> Tensor:
        return module.encode(x, return_dict=False)[0].mode()  # type: ignore[operator, no-any-return]

    return _one_by_one(vae, cropped.movedim(-1, 1) * 2.0 - 1.0, encode, tiling, pixels, 1 / pixels)


def _one_by_one(
    vae: Vae,
    batch: Tensor,
    function: Callable[[nn.Module, Tensor], Tensor],
    tiling: Tiling | None,
    unit: int,
    scale: float,
) -> Tensor:
    """Send each item through the network, in tiles when that is wanted or it does not fit.

    unit: pixels of `batch` per latent pixel, each way; scale: of the result per pixel of `batch`.
    """
    dtype = compute_dtype(vae.part.network, vae.store.device)
    results = []
    with torch.inference_mode(), vae.store.use(vae.part.network) as module:

        def run(part: Tensor) -> Tensor:
            return function(module, part.to(vae.store.device, dtype)).float().cpu()

        for item in batch.chunk(len(batch)):
            check_interrupted()
            results.append(_run_or_tile(run, item, tiling, unit, scale))
        result = torch.cat(results)
    with torch.inference_mode(False):
        return result.clone()


def _run_or_tile(
    run: Callable[[Tensor], Tensor], item: Tensor, tiling: Tiling | None, unit: int, scale: float
) -> Tensor:
    def tiled(wanted: Tiling) -> Tensor:
        return in_tiles(run, item, (wanted.height * unit, wanted.width * unit), wanted.overlap * unit, scale)

    if tiling is not None:
        return sum(map(tiled, tiling.shapes()), torch.zeros(())) / 3.0
    try:
        return run(item)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or max(item.shape[-2:]) <= TILE * unit:
            raise
    logger.warning("out of memory in one pass over %dx%d, trying in tiles", item.shape[-1], item.shape[-2])
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return tiled(Tiling(TILE, TILE, OVERLAP))
