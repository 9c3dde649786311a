"""Mask nodes."""

import numpy as np
import pytest
import torch
from PIL import Image

from inglenook.errors import NodeError
from inglenook.media.folders import Folders

from .conftest import Run

MASK = torch.arange(2 * 4 * 6).reshape(2, 4, 6) / 48


def test_channels_of_a_file(run: Run, folders: Folders) -> None:
    Image.new("RGBA", (6, 4), (255, 51, 0, 102)).save(folders.input / "a.png")
    values = {channel: run("LoadImageMask", image="a.png", channel=channel)[0] for channel in ("red", "green", "alpha")}
    assert {tuple(mask.shape) for mask in values.values()} == {(1, 4, 6)}
    assert [round(float(mask.mean()), 4) for mask in values.values()] == [1, 0.2, 0.6]


def test_between_masks_and_pictures(run: Run) -> None:
    (image,) = run("MaskToImage", mask=MASK)
    assert image.shape == (2, 4, 6, 3)
    assert torch.equal(run("ImageToMask", image=image, channel="blue")[0], MASK)
    with pytest.raises(NodeError, match="alpha"):
        run("ImageToMask", image=image, channel="alpha")
    assert torch.equal(run("InvertMask", mask=MASK)[0], 1 - MASK)
    assert run("MaskToImage", mask=MASK[0])[0].shape == (1, 4, 6, 3)


def test_a_colour_becomes_a_mask(run: Run) -> None:
    image = torch.tensor([[[[1, 128 / 255, 0], [1, 0.5, 0.1]]]])
    assert run("ImageColorToMask", image=image, color=0xFF8000)[0].tolist() == [[[1, 0]]]


def test_threshold_and_crop(run: Run) -> None:
    assert torch.equal(run("ThresholdMask", mask=MASK, value=0.5)[0], (MASK > 0.5).float())
    assert torch.equal(run("CropMask", mask=MASK, x=2, y=1, width=3, height=99)[0], MASK[:, 1:, 2:5])
    assert run("SolidMask", value=0.25, width=5, height=3)[0].shape == (1, 3, 5)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [("multiply", 0.3), ("add", 1.0), ("subtract", 0.1), ("and", 0.0), ("or", 1.0), ("xor", 1.0)],
)
def test_composites(run: Run, operation: str, expected: float) -> None:
    destination, source = torch.full((1, 4, 4), 0.6), torch.full((1, 9, 9), 0.5)
    before = destination.clone()
    (mask,) = run("MaskComposite", destination=destination, source=source, x=1, y=2, operation=operation)
    assert mask[0, 2:, 1:].flatten().tolist() == pytest.approx([expected] * 6)
    assert torch.equal(mask[0, :2], before[0, :2])
    assert torch.equal(destination, before)


def test_a_source_outside_changes_nothing(run: Run) -> None:
    (mask,) = run("MaskComposite", destination=MASK, source=MASK, x=100, y=0, operation="add")
    assert torch.equal(mask, MASK)


@pytest.mark.parametrize("tapered", [True, False])
@pytest.mark.parametrize("steps", [0, 1, 3, 50])
def test_growing_and_shrinking_a_dot(run: Run, tapered: bool, steps: int) -> None:
    dot = torch.zeros(1, 15, 21)
    dot[0, 7, 10] = 1
    y, x = np.mgrid[-7:8, -10:11]
    distance = abs(x) + abs(y) if tapered else np.maximum(abs(x), abs(y))
    assert np.array_equal(run("GrowMask", mask=dot, expand=steps, tapered_corners=tapered)[0][0] > 0, distance <= steps)
    (shrunk,) = run("GrowMask", mask=1 - dot, expand=-steps, tapered_corners=tapered)
    assert np.array_equal(shrunk[0] == 0, distance <= steps)


def test_feathering_fades_the_sides(run: Run) -> None:
    (mask,) = run("FeatherMask", mask=torch.ones(1, 6, 8), left=2, top=0, right=0, bottom=0)
    assert mask[0, 3].tolist() == [0.5, 1, 1, 1, 1, 1, 1, 1]
    (mask,) = run("FeatherMask", mask=torch.ones(1, 6, 8), left=99, top=0, right=5, bottom=0)
    assert mask[0, 0].tolist() == pytest.approx([value / 8 for value in range(1, 9)])


def test_a_preview_of_a_mask(run: Run, folders: Folders) -> None:
    files = run("MaskPreview", mask=MASK)["ui"]["images"]
    assert [file["type"] for file in files] == ["temp", "temp"]
    with Image.open(folders.temp / files[1]["filename"]) as image:
        assert np.array_equal(np.asarray(image)[..., 1], (MASK[1].numpy() * 255).astype(np.uint8))
