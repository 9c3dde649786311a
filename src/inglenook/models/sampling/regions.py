"""Where and when an entry of a conditioning counts: areas, masks and ranges of noise levels.

The options of an entry, as node packs know them:

    area                    (height, width, y, x) in latent pixels, or ("percentage", height, width, y, x) in 0..1
    mask                    [1 or batch, h', w'] of any size; with `mask_strength`, and `set_area_to_bounds`: the
                            network sees only the rectangle around the mask
    strength                weight against other entries
    start_percent, end_percent   part of the sampling range, 0..1
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from inglenook.errors import NodeError
from inglenook.models.sampling.prediction import SigmaTable

_BORDER = 8
"""Over how many latent pixels an area without a mask fades in."""
_SMALLEST_SIDE = 8
"""Of the rectangle around a mask, latent pixels."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle in latent pixels."""

    height: int
    width: int
    y: int
    x: int

    def cut(self, tensor: Tensor) -> Tensor:
        """The part of [..., h, w] that lies in it; what is changed there is changed in `tensor`."""
        return tensor[..., self.y : self.y + self.height, self.x : self.x + self.width]

    def lies_in(self, other: Area) -> bool:
        return (
            self.y >= other.y
            and self.x >= other.x
            and self.y + self.height <= other.y + other.height
            and self.x + self.width <= other.x + other.width
        )


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """What part of a picture an entry is about; without area and weight the whole."""

    area: Area | None = None
    weight: Tensor | None = None
    """[1 or batch, 1, height, width] of the area; None where it is the same everywhere."""

    @classmethod
    def of(cls, options: Mapping[str, Any], shape: Sequence[int], device: torch.device) -> Region:
        """Of a latent [batch, channels, h, w]. Raises NodeError for an area that lies outside."""
        area = _area(options["area"], shape) if options.get("area") is not None else None
        mask = options.get("mask")
        if mask is None:
            return cls(None, None) if area is None else cls(area, _faded(area, shape).to(device))
        fitted = _fitted(mask, shape)
        if options.get("set_area_to_bounds"):
            area = _around(fitted)
        weight = (fitted if area is None else area.cut(fitted)) * float(options.get("mask_strength", 1.0))
        return cls(area, weight.to(device))


EVERYWHERE = Region()


def _area(declared: Any, shape: Sequence[int]) -> Area:
    height, width = shape[-2:]
    if declared[0] == "percentage":
        sides = (declared[1] * height, declared[2] * width, declared[3] * height, declared[4] * width)
        rows, columns, y, x = (round(side) for side in sides)
        rows, columns = max(rows, 1), max(columns, 1)
    else:
        rows, columns, y, x = (int(side) for side in declared)
    if not (0 <= y < height and 0 <= x < width and rows > 0 and columns > 0):
        raise NodeError(f"the area of a conditioning begins at ({x}, {y}), outside of the latent of {width}x{height}")
    return Area(min(rows, height - y), min(columns, width - x), y, x)


def _fitted(mask: Tensor, shape: Sequence[int]) -> Tensor:
    """A mask in latent pixels, [1 or batch, 1, h, w]."""
    mask = mask.reshape(-1, 1, *mask.shape[-2:]).float().cpu()
    if mask.shape[-2:] != tuple(shape[-2:]):
        mask = F.interpolate(mask, size=tuple(shape[-2:]), mode="bilinear")
    mask = mask[: shape[0]]
    return mask if len(mask) == 1 else mask.repeat(-(-shape[0] // len(mask)), 1, 1, 1)[: shape[0]]


def _around(mask: Tensor) -> Area:
    """The rectangle around what is not 0 in a mask; the upper left corner of an empty one."""
    marked = mask.abs().amax(dim=(0, 1))
    height, width = marked.shape
    rows, columns = marked.amax(dim=1).nonzero().flatten(), marked.amax(dim=0).nonzero().flatten()
    if not len(rows):
        return Area(min(_SMALLEST_SIDE, height), min(_SMALLEST_SIDE, width), 0, 0)
    top, left = int(rows[0]), int(columns[0])
    tall = max(int(rows[-1]) - top + 1, _SMALLEST_SIDE)
    wide = max(int(columns[-1]) - left + 1, _SMALLEST_SIDE)
    return Area(min(tall, height - top), min(wide, width - left), top, left)


def _faded(area: Area, shape: Sequence[int]) -> Tensor:
    """Weights of an area, [1, 1, height, width]: 1, rising over a border at the sides that are inside the picture."""
    ramp = (torch.arange(_BORDER) + 1) / _BORDER
    weight = torch.ones(1, 1, area.height, area.width)
    rows, columns = min(_BORDER, area.height), min(_BORDER, area.width)
    if area.y:
        weight[..., :rows, :] *= ramp[:rows, None]
    if area.y + area.height < shape[-2]:
        weight[..., area.height - rows :, :] *= ramp[:rows].flip(0)[:, None]
    if area.x:
        weight[..., :columns] *= ramp[:columns]
    if area.x + area.width < shape[-1]:
        weight[..., area.width - columns :] *= ramp[:columns].flip(0)
    return weight


@dataclass(frozen=True, slots=True)
class Levels:
    """The noise levels at which an entry counts, both ends included; None: no end."""

    highest: float | None = None
    lowest: float | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any], table: SigmaTable) -> Levels:
        start, end = options.get("start_percent"), options.get("end_percent")
        return cls(
            None if start is None else table.at_percent(float(start)),
            None if end is None else table.at_percent(float(end)),
        )

    def hold(self, sigma: float) -> bool:
        return not (
            (self.highest is not None and sigma > self.highest) or (self.lowest is not None and sigma < self.lowest)
        )


ALWAYS = Levels()
