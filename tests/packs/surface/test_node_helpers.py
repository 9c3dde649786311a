import hashlib
import io

import pytest
import torch
from PIL import Image, ImageFile

from inglenook.nodes.environment import Environment, using


@pytest.fixture
def helpers(surface):
    return surface("node_helpers")


def test_values_are_set_in_a_copy(helpers):
    conditioning = [[torch.ones(1), {"a": [1]}], [torch.zeros(1), {}]]
    changed = helpers.conditioning_set_values(conditioning, {"a": [2], "b": 3})
    assert [options for _, options in changed] == [{"a": [2], "b": 3}, {"a": [2], "b": 3}]
    assert conditioning[0][1] == {"a": [1]}
    assert changed[0][0] is conditioning[0][0]
    appended = helpers.conditioning_set_values(conditioning, {"a": [2]}, append=True)
    assert [options["a"] for _, options in appended] == [[1, 2], [2]]


def test_a_cut_off_picture_is_read(helpers):
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "JPEG")
    cut = file.getvalue()[:-400]

    def load(data):
        image = Image.open(io.BytesIO(data))
        image.load()
        return image

    with pytest.raises(OSError, match="truncated"):
        load(cut)
    assert helpers.pillow(load, cut).size == (64, 64)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    with pytest.raises(OSError):
        helpers.pillow(load, b"no picture")


def test_small_things(helpers):
    assert helpers.hasher()(b"x").hexdigest() == hashlib.sha256(b"x").hexdigest()
    assert helpers.string_to_torch_dtype("bf16") is torch.bfloat16
    assert helpers.string_to_torch_dtype("int4") is None
    three, four = torch.zeros(1, 2, 2, 3), torch.zeros(1, 2, 2, 4)
    assert helpers.image_alpha_fix(three, four)[1].shape[-1] == 3
    assert helpers.image_alpha_fix(four, three)[1][..., 3].tolist() == [[[1, 1], [1, 1]]]


def test_a_callback_reports_steps_with_previews(surface, demo, node_run, events):
    latent_preview, sample = surface("latent_preview"), surface("comfy.sample")
    latent = demo["latent"]["samples"]
    last = {}
    callback = latent_preview.prepare_callback(demo["model"], 2, last)
    sample.sample(
        demo["model"], sample.prepare_noise(latent, 1), 2, 1.0, "euler", "normal", demo["positive"], demo["negative"],
        latent, callback=callback, seed=1,
    )  # fmt: skip
    assert [(event.value, event.total) for event in events] == [(1, 2), (2, 2)]
    assert Image.open(io.BytesIO(events[0].preview.data)).size == (512, 512)
    assert last["x0"].shape == latent.shape


def test_previews_follow_the_server(surface, demo, environment):
    latent_preview = surface("latent_preview")
    assert latent_preview.MAX_PREVIEW_RESOLUTION == 512
    form = demo["model"].model.latent_format
    previewer = latent_preview.get_previewer(torch.device("cpu"), form)
    assert previewer.decode_latent_to_preview(torch.zeros(1, 4, 8, 6)).size == (6, 8)
    assert previewer.decode_latent_to_preview_image("JPEG", torch.zeros(1, 4, 8, 8))[::2] == ("JPEG", 512)
    with using(Environment(environment.folders, environment.models, preview_method="none", preview_size=64)):
        assert latent_preview.get_previewer(torch.device("cpu"), form) is None
        assert latent_preview.MAX_PREVIEW_RESOLUTION == 64
