"""Image nodes: files in and out, sizes, batches."""

import io
import json
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from inglenook.engine import context
from inglenook.engine.events import ImageSent, NodeRef, Progress
from inglenook.engine.implementation import NodeImplementation
from inglenook.errors import MediaError, NodeError, UnsafePath
from inglenook.media.folders import Folders
from inglenook.media.metadata import read_metadata
from inglenook.nodes.environment import Environment, using

from .conftest import Run

PICTURE = torch.arange(2 * 6 * 8 * 3).reshape(2, 6, 8, 3) / 512


def test_save_image_writes_each_picture_with_the_workflow(run: Run, folders: Folders) -> None:
    prompt, extra = {"1": {"class_type": "A"}}, {"workflow": {"nodes": [1]}, "seed": 5}
    result = run("SaveImage", images=PICTURE, filename_prefix="sub/x", prompt=prompt, extra_pnginfo=extra)
    files = result["ui"]["images"]
    assert files == [{"filename": f"x_0000{number}_.png", "subfolder": "sub", "type": "output"} for number in (1, 2)]
    path = folders.output / "sub" / "x_00002_.png"
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), (PICTURE[1].numpy() * np.float32(255)).astype(np.uint8))
    text = read_metadata(path)
    assert {key: json.loads(value) for key, value in text.items()} == {"prompt": prompt, **extra}


def test_metadata_can_be_switched_off(run: Run, environment: Environment) -> None:
    with using(Environment(environment.folders, environment.models, save_metadata=False)):
        run("SaveImage", images=PICTURE, prompt={"1": {}}, extra_pnginfo={"workflow": {}})
    assert read_metadata(environment.folders.output / "ComfyUI_00001_.png") == {}


def test_a_prefix_that_leaves_the_output_folder_fails_the_node(run: Run) -> None:
    with pytest.raises(UnsafePath, match="leaves its folder"):
        run("SaveImage", images=PICTURE, filename_prefix="../x")


def test_preview_image_goes_to_temp_under_a_prefix_of_its_own(run: Run, folders: Folders) -> None:
    (file,) = run("PreviewImage", images=PICTURE[:1])["ui"]["images"]
    assert file["type"] == "temp"
    assert file["filename"].startswith("ComfyUI_temp_")
    assert (folders.temp / file["filename"]).is_file()
    assert not any(folders.output.iterdir())


def test_a_saved_picture_is_loaded_as_it_was(run: Run) -> None:
    run("SaveImage", images=torch.cat([PICTURE, PICTURE[..., :1]], -1)[:1])
    image, mask = run("LoadImage", image="ComfyUI_00001_.png [output]")
    assert torch.equal(image, (PICTURE[:1] * 255).to(torch.uint8) / 255)
    assert torch.equal(mask, 1 - (PICTURE[:1, ..., 0] * 255).to(torch.uint8) / 255)
    assert torch.equal(run("LoadImageOutput", image="ComfyUI_00001_.png")[0], image)


def test_a_picture_without_transparency_has_an_empty_mask(run: Run, folders: Folders) -> None:
    Image.new("RGB", (8, 6)).save(folders.input / "a.png")
    assert torch.equal(run("LoadImage", image="a.png")[1], torch.zeros(1, 64, 64))
    assert torch.equal(run("LoadImageMask", image="a.png", channel="alpha")[0], torch.zeros(1, 6, 8))


def test_an_animation_is_loaded_as_a_batch_with_masks(run: Run, folders: Folders) -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    frames[0].save(folders.input / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    image, mask = run("LoadImage", image="a.webp")
    assert image.shape == (2, 6, 8, 3)
    assert mask.shape == (2, 64, 64)


def test_hostile_inputs_of_load_image(run: Run, folders: Folders, environment: Environment) -> None:
    (folders.input / "a.png").write_bytes(b"no picture")
    with pytest.raises(MediaError, match=r"cannot read a\.png"):
        run("LoadImage", image="a.png")
    with pytest.raises(UnsafePath):
        run("LoadImage", image="../output/a.png")
    Image.new("L", (2000, 1000)).save(folders.input / "large.png")
    with using(Environment(folders, environment.models, max_megapixels=1)), pytest.raises(MediaError, match="limit"):
        run("LoadImage", image="large.png")


def test_the_fingerprint_follows_the_content(
    environment: Environment, implementations: dict[str, NodeImplementation]
) -> None:
    fingerprint = implementations["LoadImageMask"].fingerprint
    assert fingerprint is not None
    file = environment.folders.input / "a.png"
    file.write_bytes(b"one")
    first = fingerprint(image="a.png", channel="red")
    file.write_bytes(b"two")
    assert fingerprint(image="a.png", channel="red") != first
    file.write_bytes(b"one")
    assert fingerprint(image="a.png", channel="red") == first


def test_websocket_images_are_sent_not_saved(run: Run, folders: Folders) -> None:
    events: list[Any] = []
    ref = NodeRef("1", "1", None, "1")
    with context.running(context.NodeContext("job", ref, events.append, lambda: False)):
        assert run("SaveImageWebsocket", images=PICTURE) == {}
    assert [type(event) for event in events] == [Progress, ImageSent, Progress, ImageSent]
    assert all(event.picture.media_type == "image/png" for event in events[1::2])
    with Image.open(io.BytesIO(events[3].picture.data)) as image:
        assert np.array_equal(np.asarray(image), (PICTURE[1].numpy() * np.float32(255)).astype(np.uint8))
    assert not any(folders.output.iterdir())


def test_an_interrupt_stops_between_pictures(run: Run, folders: Folders) -> None:
    ref = NodeRef("1", "1", None, "1")
    stopping = context.NodeContext("job", ref, [].append, lambda: any(folders.output.iterdir()))
    with context.running(stopping), pytest.raises(context.InterruptProcessing):
        run("SaveImage", images=PICTURE)
    assert len(list(folders.output.iterdir())) == 1


def test_empty_image_has_the_colour(run: Run) -> None:
    (image,) = run("EmptyImage", width=3, height=2, batch_size=2, color=0xFF8000)
    assert image.shape == (2, 2, 3, 3)
    assert image.is_contiguous()
    assert torch.allclose(image[1, 1, 2], torch.tensor([1, 128 / 255, 0]))


@pytest.mark.parametrize(
    ("width", "height", "expected"), [(0, 0, (6, 8)), (16, 0, (12, 16)), (0, 3, (3, 4)), (0, 1, (1, 1)), (5, 7, (7, 5))]
)
def test_scale_with_a_free_side(run: Run, width: int, height: int, expected: tuple[int, int]) -> None:
    (image,) = run("ImageScale", image=PICTURE, upscale_method="bilinear", width=width, height=height, crop="disabled")
    assert tuple(image.shape[1:3]) == expected


def test_lanczos_keeps_every_number_of_channels(run: Run) -> None:
    for channels in (1, 3, 4):
        image = torch.rand(2, 6, 8, channels)
        (scaled,) = run("ImageScaleBy", image=image, upscale_method="lanczos", scale_by=2.0)
        assert scaled.shape == (2, 12, 16, channels)


def test_batches(run: Run) -> None:
    (image,) = run("ImageBatch", image1=PICTURE, image2=torch.rand(1, 12, 12, 4))
    assert image.shape == (3, 6, 8, 4)
    assert image[:2, ..., 3].min() == 1
    assert run("RepeatImageBatch", image=PICTURE, amount=3)[0].shape == (6, 6, 8, 3)
    assert torch.equal(run("ImageFromBatch", image=PICTURE, batch_index=1, length=1)[0], PICTURE[1:])
    assert torch.equal(run("ImageFromBatch", image=PICTURE, batch_index=9, length=9)[0], PICTURE[1:])
    assert torch.equal(run("ImageFromBatch", image=PICTURE, batch_index=0, length=9)[0], PICTURE)


def test_rebatching_keeps_order(run: Run) -> None:
    numbered = [torch.full((count, 2, 2, 3), float(count)) for count in (3, 1, 2)]
    (groups,) = run("RebatchImages", images=numbered, batch_size=[4])
    assert [len(group) for group in groups] == [4, 2]
    assert torch.equal(torch.cat(groups), torch.cat(numbered))
    with pytest.raises(NodeError, match="different sizes"):
        run("RebatchImages", images=[torch.rand(1, 2, 2, 3), torch.rand(1, 3, 2, 3)], batch_size=[4])


def test_padding_for_outpainting(run: Run) -> None:
    image, mask = run("ImagePadForOutpaint", image=PICTURE, left=0, top=8, right=16, bottom=0, feathering=2)
    assert image.shape == (2, 14, 24, 3)
    assert torch.equal(image[:, 8:, :8], PICTURE)
    assert (image[:, :8] == 0.5).all()
    assert mask.shape == (1, 14, 24)
    assert (mask[0, :8] == 1).all()
    assert mask[0, 8:, :8].tolist() == [
        [1, 1, 1, 1, 1, 1, 1, 1],  # 0 pixels from the padded top
        [0.25] * 7 + [0.25],
        [0, 0, 0, 0, 0, 0, 0, 0.25],
        [0, 0, 0, 0, 0, 0, 0, 0.25],
        [0, 0, 0, 0, 0, 0, 0, 0.25],
        [0, 0, 0, 0, 0, 0, 0, 0.25],
    ]
    assert run("ImagePadForOutpaint", image=PICTURE, left=8, top=0, right=0, bottom=0, feathering=4)[1][
        0, 3
    ].tolist() == ([1] * 8 + [0] * 8)


def test_the_size_is_told(run: Run) -> None:
    assert run("GetImageSize", image=PICTURE) == (8, 6, 2)
