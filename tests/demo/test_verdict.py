"""The judge of the demo pictures, tried on drawings of which we know what they show."""

import random
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter
from shapes import COLOURS, SHAPES, Scene, draw, random_scene
from verdict import judge

SIZE = 128


def pixels_of(scene: Scene) -> np.ndarray:
    return (draw(scene, SIZE) * 255).round().astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
def test_judge_names_shape_and_colours_of_drawings(shape: str) -> None:
    rng = random.Random(shape)
    for _ in range(6):
        scene = replace(random_scene(rng), shape=shape)
        seen = judge(pixels_of(scene))
        assert (seen.shape, seen.foreground, seen.background) == (shape, scene.foreground, scene.background)


@pytest.mark.parametrize("colour", COLOURS)
def test_judge_tells_colours_that_are_a_little_off(colour: str) -> None:
    other = "white" if colour != "white" else "black"
    pixels = pixels_of(Scene("circle", colour, other)).astype(np.int16)
    noise = np.random.default_rng(1).integers(-12, 13, pixels.shape)
    seen = judge(np.clip(pixels + noise, 0, 255).astype(np.uint8))
    assert (seen.foreground, seen.background) == (colour, other)


@pytest.mark.parametrize("shape", SHAPES)
def test_judge_forgives_blurred_edges(shape: str) -> None:
    blurred = Image.fromarray(pixels_of(Scene(shape, "red", "white"))).filter(ImageFilter.GaussianBlur(2))
    assert judge(np.asarray(blurred)).shape == shape


def test_judge_sees_no_shape_in_an_empty_picture() -> None:
    seen = judge(np.full((SIZE, SIZE, 3), COLOURS["blue"], np.uint8))
    assert (seen.background, seen.shape) == ("blue", "")


def test_judge_sees_no_shape_in_noise() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    assert judge(noise).shape == ""


def test_judge_sees_no_shape_in_scattered_bars() -> None:
    pixels = np.full((SIZE, SIZE, 3), 255, np.uint8)
    pixels[10:118, 30:38] = 0
    pixels[10:118, 70:78] = 0
    assert judge(pixels).shape == ""
