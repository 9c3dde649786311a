"""A function over a large picture, piece by piece, the seams blended."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from inglenook.engine.context import check_interrupted


def in_tiles(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    tile: int | tuple[int, int],
    overlap: int,
    scale: float,
    on_tile: Callable[[], None] = lambda: None,
) -> Tensor:
    """Apply `function` to overlapping tiles of `x`, [1, channels, h, w], and blend the results on the CPU.

    tile: side, or (height, width); tile, overlap: pixels of `x`; scale: pixels of the result per pixel of `x`; on_tile:
    called after each. Memory: one tile, and the result twice.
    """
    tile_height, tile_width = (tile, tile) if isinstance(tile, int) else tile
    height, width = (round(side * scale) for side in x.shape[-2:])
    total: Tensor | None = None
    weight = torch.zeros(1, 1, height, width)
    for top in starts(x.shape[-2], tile_height, overlap):
        for left in starts(x.shape[-1], tile_width, overlap):
            check_interrupted()
            part = function(x[..., top : top + tile_height, left : left + tile_width]).float().cpu()
            rows, columns = part.shape[-2:]
            window = feather(rows, columns, max(round(overlap * scale), 1))
            begin_row, begin_column = round(top * scale), round(left * scale)
            if total is None:
                total = torch.zeros(1, part.shape[1], height, width)
            place = (..., slice(begin_row, begin_row + rows), slice(begin_column, begin_column + columns))
            total[place] += part * window
            weight[place] += window
            on_tile()
    assert total is not None
    return total / weight


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin so that they cover `length`, as ComfyUI has them: the last one may be shorter than `tile`."""
    if length <= tile:
        return [0]
    return [*range(0, length - overlap, max(tile - overlap, 1))]


def feather(rows: int, columns: int, border: int) -> Tensor:
    """Weights of a tile, [rows, columns]: rising from nearly 0 at its edges to 1 `border` pixels inside."""

    def ramp(length: int) -> Tensor:
        distance = torch.arange(length, dtype=torch.float32)
        distance = torch.minimum(distance, distance.flip(0)) + 1
        return (distance / border).clamp(max=1.0)

    return ramp(rows)[:, None] * ramp(columns)[None, :]
