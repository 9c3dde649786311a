"""What the demo checkpoint can draw: shapes, colours, and the captions that name them.

Everything here is numpy and Pillow and is driven by a seeded `random.Random`, so that one seed is one picture.
Sizes and positions are fractions of the picture's edge; y points down.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Rgb = tuple[int, int, int]
Point = tuple[float, float]

COLOURS: dict[str, Rgb] = {
    "red": (222, 44, 50),
    "orange": (248, 140, 28),
    "yellow": (252, 218, 60),
    "green": (46, 164, 78),
    "cyan": (52, 200, 212),
    "blue": (38, 84, 212),
    "purple": (132, 56, 184),
    "pink": (252, 142, 186),
    "brown": (122, 72, 38),
    "black": (22, 22, 26),
    "white": (246, 246, 246),
    "gray": (138, 140, 146),
}
SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "ring", "cross")

SUPERSAMPLING = 4
"""Masks are drawn this much larger and averaged down: the edges that the model learns are smooth."""
SIZES = (0.21, *(0.3,) * 6, 0.38)
"""Radii: small, the usual one, large."""
RING_HOLE = 0.55
"""Inner radius of a ring over its outer radius."""

SHAPE_WORDS: dict[str, tuple[str, ...]] = {
    "circle": ("circle", "circle", "circle", "disc", "ball", "dot"),
    "square": ("square", "square", "square", "box"),
    "triangle": ("triangle",),
    "star": ("star", "star", "star", "five-pointed star"),
    "heart": ("heart",),
    "diamond": ("diamond", "diamond", "diamond", "rhombus"),
    "ring": ("ring", "ring", "ring", "donut"),
    "cross": ("cross", "cross", "cross", "plus sign"),
}
COLOUR_WORDS: dict[str, tuple[str, ...]] = {
    "gray": ("gray", "grey"),
    "cyan": ("cyan", "cyan", "turquoise"),
    "purple": ("purple", "purple", "violet"),
}
TEMPLATES = (
    "{a} {fg} {shape} on {ab} {bg} background",
    "{a} {fg} {shape} on {ab} {bg} background",
    "{a} {fg} {shape} on {ab} {bg} background",
    "{fg} {shape} on {bg} background",
    "{fg} {shape} on {bg}",
    "{a} {fg} {shape} on {bg}",
    "{fg} {shape}, {bg} background",
    "{a} {fg} {shape}, {bg} background",
    "a picture of {a} {fg} {shape} on {ab} {bg} background",
    "a drawing of {a} {fg} {shape} on {ab} {bg} background",
    "{bg} background, {fg} {shape}",
    "{ab} {bg} background with {a} {fg} {shape}",
    "{a} {fg} {shape} in front of {ab} {bg} background",
)
TEMPLATE_WORDS = ("on", "background", "picture of", "drawing of", "with", "in front of")


@dataclass(frozen=True, slots=True)
class Scene:
    """One shape on one background; `x`, `y` (centre) and `radius` are fractions of the picture's edge."""

    shape: str
    foreground: str
    background: str
    x: float = 0.5
    y: float = 0.5
    radius: float = 0.3


def random_scene(rng: random.Random) -> Scene:
    """Draw a shape, two different colours, one of three sizes, and a place near the centre.

    Captions name sizes other than the usual one. Little is left to chance that captions do not tell: a model that must
    guess size and place learns much later what shapes look like.
    """
    foreground, background = rng.sample(tuple(COLOURS), 2)
    radius = rng.choice(SIZES) * rng.uniform(0.95, 1.05)
    x, y = 0.5 + rng.uniform(-0.03, 0.03), 0.5 + rng.uniform(-0.03, 0.03)
    return Scene(rng.choice(SHAPES), foreground, background, x, y, radius)


def caption(scene: Scene, rng: random.Random) -> str:
    """Describe a scene in one of many wordings; a size other than the usual one is named."""
    shape = rng.choice(SHAPE_WORDS[scene.shape])
    foreground = rng.choice(COLOUR_WORDS.get(scene.foreground, (scene.foreground,)))
    background = rng.choice(COLOUR_WORDS.get(scene.background, (scene.background,)))
    size = _size_word(scene.radius, rng)
    first = f"{size} {foreground}" if size else foreground
    text = rng.choice(TEMPLATES).format(
        a=_article(first), ab=_article(background), fg=first, bg=background, shape=shape
    )
    return text + "." if rng.random() < 0.05 else text


def every_word() -> list[str]:
    """List all that a caption can contain, in pieces."""
    words = [word for shape in SHAPES for word in SHAPE_WORDS[shape]]
    words += [word for colour in COLOURS for word in COLOUR_WORDS.get(colour, (colour,))]
    return [*words, *TEMPLATE_WORDS, "small", "large", "big", "a", "an", ".", ",", ""]


def size_of(radius: float) -> str:
    """Name the size of a shape: small, usual or large."""
    if radius < 0.25:
        return "small"
    return "large" if radius > 0.34 else "usual"


def _size_word(radius: float, rng: random.Random) -> str:
    return {"small": "small", "usual": "", "large": rng.choice(("large", "big"))}[size_of(radius)]


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def outline(shape: str) -> tuple[Point, ...]:
    """Return the corners of a shape around (0, 0); its farthest corners lie about 1 away."""
    match shape:
        case "circle" | "ring":
            return _regular([1.0] * 96, 0.0)
        case "square":
            return ((-0.86, -0.86), (0.86, -0.86), (0.86, 0.86), (-0.86, 0.86))
        case "triangle":
            return ((0.0, -0.95), (1.04, 0.85), (-1.04, 0.85))
        case "star":
            return tuple((x, y + 0.06) for x, y in _regular([1.1, 0.46] * 5, -math.pi / 2))
        case "heart":
            return tuple(_heart_point(2 * math.pi * step / 96) for step in range(96))
        case "diamond":
            return ((0.0, -1.1), (0.8, 0.0), (0.0, 1.1), (-0.8, 0.0))
        case "cross":
            arm, half = 1.0, 0.33
            return (
                (-half, -arm), (half, -arm), (half, -half), (arm, -half), (arm, half), (half, half),
                (half, arm), (-half, arm), (-half, half), (-arm, half), (-arm, -half), (-half, -half),
            )  # fmt: skip
    raise ValueError(f"unknown shape {shape!r}; known: {', '.join(SHAPES)}")


def _regular(radii: Sequence[float], start: float) -> tuple[Point, ...]:
    step = 2 * math.pi / len(radii)
    return tuple((r * math.cos(start + i * step), r * math.sin(start + i * step)) for i, r in enumerate(radii))


def _heart_point(angle: float) -> Point:
    """The usual heart curve x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t, scaled to about 1."""
    x = 16 * math.sin(angle) ** 3
    y = 13 * math.cos(angle) - 5 * math.cos(2 * angle) - 2 * math.cos(3 * angle) - math.cos(4 * angle)
    return x / 16.0, -(y + 2.5) / 15.5


def draw_mask(shape: str, size: int, x: float, y: float, radius: float) -> np.ndarray:
    """Cover a size x size picture with a shape: float32, 1 inside, 0 outside; x, y, radius in pixels."""
    scale = SUPERSAMPLING
    canvas = Image.new("L", (size * scale, size * scale), 0)
    pen = ImageDraw.Draw(canvas)
    pen.polygon([((x + radius * px) * scale, (y + radius * py) * scale) for px, py in outline(shape)], fill=255)
    if shape == "ring":
        hole = radius * RING_HOLE
        pen.ellipse([(x - hole) * scale, (y - hole) * scale, (x + hole) * scale, (y + hole) * scale], fill=0)
    return np.asarray(canvas.reduce(scale), dtype=np.float32) / 255.0


def paint(mask: np.ndarray, foreground: Rgb, background: Rgb) -> np.ndarray:
    """Blend two colours by a mask: float32 [height, width, 3], 0..1."""
    front, back = np.asarray(foreground, np.float32) / 255.0, np.asarray(background, np.float32) / 255.0
    return back + mask[..., None] * (front - back)


def draw(scene: Scene, size: int) -> np.ndarray:
    """Draw a scene: float32 [size, size, 3], 0..1."""
    mask = draw_mask(scene.shape, size, scene.x * size, scene.y * size, scene.radius * size)
    return paint(mask, COLOURS[scene.foreground], COLOURS[scene.background])
