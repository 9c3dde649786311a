"""Compositing, transforms and effects beyond what the reference pictures show."""

import pytest
import torch

from inglenook.errors import NodeError
from inglenook.nodes import registry
from inglenook.nodes.interfaces import builtin_interfaces

from .conftest import Run

PICTURE = torch.rand(2, 6, 8, 3, generator=torch.Generator().manual_seed(1))


def test_every_topic_implements_what_its_interfaces_promise() -> None:
    assert set(registry.load()) == set(builtin_interfaces())


@pytest.mark.parametrize(("x", "y"), [(0, 0), (6, 4), (8, 0), (100, 100)])
def test_a_source_over_a_destination(run: Run, x: int, y: int) -> None:
    destination, source = torch.zeros(1, 6, 8, 3), torch.ones(1, 4, 4, 4)
    (image,) = run(
        "ImageCompositeMasked", destination=destination, source=source, x=x, y=y, resize_source=False, mask=None
    )
    expected = torch.zeros(6, 8)
    expected[y : y + 4, x : x + 4] = 1
    assert torch.equal(image[0, ..., 0], expected)
    assert not destination.any()


def test_a_missing_alpha_channel_is_opaque(run: Run) -> None:
    destination = torch.zeros(2, 6, 8, 4)
    (image,) = run(
        "ImageCompositeMasked",
        destination=destination,
        source=PICTURE[:1, :2, :2],
        x=1,
        y=1,
        resize_source=True,
        mask=torch.full((1, 3, 3), 0.5),
    )
    assert image.shape == destination.shape
    assert image[1, 3, 4, 3] == 0.5
    assert not image[:, 0].any()


def test_alpha_is_split_and_joined(run: Run) -> None:
    (joined,) = run("JoinImageWithAlpha", image=PICTURE, alpha=torch.full((1, 3, 4), 0.25))
    assert joined.shape == (1, 6, 8, 4)
    image, mask = run("SplitImageWithAlpha", image=joined)
    assert torch.equal(image, PICTURE[:1])
    assert torch.equal(mask, torch.full((1, 6, 8), 0.25))
    assert not run("SplitImageWithAlpha", image=PICTURE)[1].any()


def test_porter_duff_sizes_and_channels(run: Run) -> None:
    mask = torch.zeros(1, 3, 3)
    for mode in builtin_interfaces()["PorterDuffImageComposite"]["input"]["required"]["mode"][1]["options"]:
        image, alpha = run(
            "PorterDuffImageComposite",
            source=torch.rand(1, 9, 9, 3),
            source_alpha=mask,
            destination=PICTURE,
            destination_alpha=mask,
            mode=mode,
        )
        assert image.shape == (1, 6, 8, 3)
        assert alpha.shape == (1, 6, 8)
    with pytest.raises(NodeError, match="channels"):
        run(
            "PorterDuffImageComposite",
            source=torch.rand(1, 6, 8, 4),
            source_alpha=mask,
            destination=PICTURE,
            destination_alpha=mask,
            mode="SRC",
        )


def test_cuts_and_turns(run: Run) -> None:
    assert torch.equal(run("ImageCrop", image=PICTURE, width=3, height=2, x=4, y=1)[0], PICTURE[:, 1:3, 4:7])
    assert run("ImageCrop", image=PICTURE, width=3, height=2, x=99, y=99)[0].shape == (2, 1, 1, 3)
    assert torch.equal(run("ImageFlip", image=PICTURE, flip_method="x-axis: vertically")[0], PICTURE.flip(1))
    assert torch.equal(run("ImageFlip", image=PICTURE, flip_method="y-axis: horizontally")[0], PICTURE.flip(2))
    (turned,) = run("ImageRotate", image=PICTURE, rotation="90 degrees")
    assert torch.equal(turned[:, 0, -1], PICTURE[:, 0, 0])  # the upper left corner comes to the upper right


@pytest.mark.parametrize(
    ("direction", "match", "spacing", "expected"),
    [
        ("right", False, 0, (6, 11)),
        ("left", False, 3, (6, 15)),
        ("up", False, 2, (10, 8)),
        ("down", True, 0, (11, 8)),
        ("right", True, 0, (6, 17)),
    ],
)
def test_stitching(run: Run, direction: str, match: bool, spacing: int, expected: tuple[int, int]) -> None:
    (image,) = run(
        "ImageStitch",
        image1=PICTURE,
        direction=direction,
        match_image_size=match,
        spacing_width=spacing,
        spacing_color="red",
        image2=torch.rand(1, 2, 3, 4),
    )
    assert tuple(image.shape) == (2, *expected, 4)
    first = image[..., :3].flip(()) if direction in ("right", "down") else image[:, -6:, -8:, :3]
    assert torch.equal(first[:, :6, :8], PICTURE)


def test_stitching_without_a_second_picture(run: Run) -> None:
    stitched = run(
        "ImageStitch", image1=PICTURE, direction="right", match_image_size=True, spacing_width=4, spacing_color="red"
    )
    assert stitched[0] is PICTURE


def test_resizing_with_padding_keeps_the_aspect(run: Run) -> None:
    (image,) = run(
        "ResizeAndPadImage",
        image=PICTURE,
        target_width=16,
        target_height=16,
        padding_color="white",
        interpolation="nearest-exact",
    )
    assert (image[:, :2] == 1).all()
    assert torch.equal(image[:, 2:14:2, ::2], PICTURE)


def test_blur_of_a_tiny_picture_and_of_a_flat_one(run: Run) -> None:
    assert run("ImageBlur", image=PICTURE, blur_radius=31, sigma=1.0)[0].shape == PICTURE.shape
    flat = torch.full((1, 9, 9, 4), 0.5)
    assert torch.allclose(run("ImageBlur", image=flat, blur_radius=3, sigma=1.0)[0], flat)
    assert torch.allclose(run("ImageSharpen", image=flat, sharpen_radius=3, sigma=1.0, alpha=5.0)[0], flat, atol=1e-5)


@pytest.mark.parametrize("mode", ["normal", "multiply", "screen", "overlay", "soft_light", "difference"])
def test_blending(run: Run, mode: str) -> None:
    (image,) = run("ImageBlend", image1=PICTURE, image2=torch.rand(1, 3, 4, 4), blend_factor=0.5, blend_mode=mode)
    assert image.shape == PICTURE.shape
    assert 0 <= float(image.min()) <= float(image.max()) <= 1
    assert torch.equal(run("ImageBlend", image1=PICTURE, image2=PICTURE, blend_factor=0.0, blend_mode=mode)[0], PICTURE)


def test_noise_follows_the_seed_and_leaves_the_global_generator_alone(run: Run) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (run("ImageAddNoise", image=PICTURE, seed=seed, strength=0.5)[0] for seed in (7, 7, 2**64 - 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("dither", ["none", "floyd-steinberg", "bayer-2", "bayer-16"])
def test_fewer_colours(run: Run, dither: str) -> None:
    (image,) = run("ImageQuantize", image=PICTURE, colors=4, dither=dither)
    assert image.shape == PICTURE.shape
    assert all(len(picture.reshape(-1, 3).unique(dim=0)) <= 4 for picture in image)


@pytest.mark.parametrize("size", [3, 4, 99])
def test_morphology_order(run: Run, size: int) -> None:
    results = {
        operation: run("Morphology", image=PICTURE, operation=operation, kernel_size=size)[0]
        for operation in ("erode", "open", "close", "dilate", "gradient", "top_hat", "bottom_hat")
    }
    assert (results["erode"] <= PICTURE).all()
    assert (results["dilate"] >= PICTURE).all()
    assert all(result.shape == PICTURE.shape and result.isfinite().all() for result in results.values())
    assert torch.equal(results["gradient"], results["dilate"] - results["erode"])
