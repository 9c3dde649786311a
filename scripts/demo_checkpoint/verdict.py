"""What a picture shows, told from its pixels alone: background colour, foreground colour, shape.

Knows nothing of prompts or models. Colours are the nearest named one in CIELAB; the shape is the drawn template that
covers the foreground best, both scaled to the same bounding box.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image
from shapes import COLOURS, SHAPES, draw_mask

BORDER = 0.05
"""Width of the frame that counts as background, as a part of the picture's edge."""
GRID = 48
"""Shapes are compared on a grid of this many cells."""
LEAST_OVERLAP = 0.75
"""Intersection over union below which no shape is recognised. Circle and square, for instance, reach 0.79."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is seen; `shape` is empty when nothing is recognised, `overlap` is that of the best template."""

    background: str
    foreground: str
    shape: str
    overlap: float


def judge(pixels: np.ndarray) -> Verdict:
    """Look at a picture: uint8 [height, width, 3]."""
    lab = to_lab(pixels.astype(np.float32) / 255.0)
    background = np.median(_frame(lab), axis=0)
    distance = np.linalg.norm(lab - background, axis=-1)
    marked = distance > 0.6 * np.quantile(distance, 0.98)
    foreground = np.median(lab[marked], axis=0) if marked.any() else background
    axis = foreground - background
    mask = (lab - background) @ axis > 0.5 * (axis @ axis)
    shape, overlap = recognise(largest_part(mask))
    return Verdict(nearest_colour(background), nearest_colour(foreground), shape, overlap)


def recognise(mask: np.ndarray) -> tuple[str, float]:
    """Name the template that overlaps a mask best, and how much; no name below LEAST_OVERLAP."""
    if mask.sum() < 16:
        return "", 0.0
    seen = _scaled(mask.astype(np.float32))
    overlaps = {shape: _overlap(seen, template) for shape, template in _templates().items()}
    best = max(overlaps, key=overlaps.__getitem__)
    return (best if overlaps[best] >= LEAST_OVERLAP else ""), overlaps[best]


def nearest_colour(lab: np.ndarray) -> str:
    """Name the colour nearest to a CIELAB value."""
    names = tuple(COLOURS)
    known = to_lab(np.array([COLOURS[name] for name in names], np.float32) / 255.0)
    return names[int(np.linalg.norm(known - lab, axis=-1).argmin())]


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """Turn sRGB, 0..1, into CIELAB (D65): [..., 3]. Formulas: CIE 15, IEC 61966-2-1."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def largest_part(mask: np.ndarray) -> np.ndarray:
    """Keep the largest connected part of a mask (8 neighbours)."""
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        grown = np.where(mask, _highest_neighbour(_highest_neighbour(labels).T).T, 0)
        if (grown == labels).all():
            break
        labels = grown
    if not mask.any():
        return mask
    values, counts = np.unique(labels[mask], return_counts=True)
    return labels == values[counts.argmax()]


def _highest_neighbour(labels: np.ndarray) -> np.ndarray:
    """Of each label and the ones in the rows above and below, the highest."""
    result = labels.copy()
    result[1:] = np.maximum(result[1:], labels[:-1])
    result[:-1] = np.maximum(result[:-1], labels[1:])
    return result


def _frame(lab: np.ndarray) -> np.ndarray:
    width = max(1, round(BORDER * len(lab)))
    inner = np.ones(lab.shape[:2], bool)
    inner[width:-width, width:-width] = False
    return lab[inner]


def _scaled(mask: np.ndarray) -> np.ndarray:
    """Cut a mask to its bounding box, keep its proportions, fit it into GRID x GRID, centred."""
    rows, columns = (np.flatnonzero((mask > 0.5).any(axis=axis)) for axis in (1, 0))
    cut = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = GRID / max(cut.shape)
    size = tuple(max(1, round(edge * scale)) for edge in cut.shape)
    image = Image.fromarray(cut.astype(np.float32)).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    result = np.zeros((GRID, GRID), np.float32)
    top, left = (GRID - size[0]) // 2, (GRID - size[1]) // 2
    result[top : top + size[0], left : left + size[1]] = np.asarray(image)
    return result


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.minimum(one, other).sum() / np.maximum(one, other).sum())


@cache
def _templates() -> dict[str, np.ndarray]:
    return {shape: _scaled(draw_mask(shape, 128, 64.0, 64.0, 45.0)) for shape in SHAPES}
