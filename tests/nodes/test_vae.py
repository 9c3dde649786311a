import pytest
import torch
from safetensors.torch import load_file, save_file

from inglenook.errors import ModelError, NodeError
from inglenook.models.keymap import VAE_PREFIX
from inglenook.nodes.vae import grow

PIXELS = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def vae(run, checkpoint):
    return run("CheckpointLoaderSimple", ckpt_name=checkpoint)[2]


def test_there_and_back_has_the_size_of_the_picture(run, vae):
    (latent,) = run("VAEEncode", pixels=PIXELS, vae=vae)
    (picture,) = run("VAEDecode", samples=latent, vae=vae)
    assert picture.shape == PIXELS.shape


def test_a_vae_of_its_own_file_is_the_same(run, vae, environment, checkpoint):
    folders = environment.folders
    state = load_file(folders.find("checkpoints", checkpoint))
    alone = {key.removeprefix(VAE_PREFIX): value for key, value in state.items() if key.startswith(VAE_PREFIX)}
    save_file(alone, folders.models["vae"].paths[0] / "alone.safetensors", {"inglenook.norm_groups": "8"})
    (other,) = run("VAELoader", vae_name="alone.safetensors")
    first, second = (run("VAEEncode", pixels=PIXELS, vae=one)[0]["samples"] for one in (vae, other))
    assert torch.equal(first, second)


def test_other_files_are_no_vae(run, environment):
    save_file({"lora_x": torch.zeros(1)}, environment.folders.models["vae"].paths[0] / "odd.safetensors")
    with pytest.raises(ModelError, match="LoRA"):
        run("VAELoader", vae_name="odd.safetensors")


def test_for_inpainting_the_hole_is_grey_and_the_mask_grows(run, vae):
    mask = torch.zeros(1, 32, 32)
    mask[:, 8:16, 8:16] = 1.0
    (latent,) = run("VAEEncodeForInpaint", pixels=PIXELS, vae=vae, mask=mask, grow_mask_by=6)
    greyed = PIXELS.clone()
    greyed[:, 16:32, 16:32] = 0.5
    (wanted,) = run("VAEEncode", pixels=greyed, vae=vae)
    torch.testing.assert_close(latent["samples"], wanted["samples"])
    covered = latent["noise_mask"][0, 0].nonzero()
    assert covered.min() < 16
    assert covered.max() > 31
    (exact,) = run("VAEEncodeForInpaint", pixels=PIXELS, vae=vae, mask=mask, grow_mask_by=0)
    assert set(exact["noise_mask"].unique().tolist()) == {0.0, 1.0}
    assert exact["noise_mask"].sum() == 16 * 16


def test_for_inpainting_odd_sizes_are_cropped_with_their_mask(run, vae):
    pixels = torch.rand(1, 70, 69, 3)
    (latent,) = run("VAEEncodeForInpaint", pixels=pixels, vae=vae, mask=torch.ones(1, 70, 69), grow_mask_by=6)
    assert latent["samples"].shape == (1, 4, 8, 8)
    assert latent["noise_mask"].shape == (1, 1, 64, 64)


def test_growing_a_point_makes_a_square():
    mask = torch.zeros(1, 1, 9, 9)
    mask[..., 4, 4] = 1.0
    assert grow(mask, 3).sum() == 9
    assert torch.equal(grow(mask, 0), mask)
    assert grow(mask, 6).shape == mask.shape


@pytest.mark.parametrize(
    ("class_type", "inputs"),
    [
        ("VAEDecode", {"samples": {"samples": torch.zeros(1, 4, 8, 8)}}),
        ("VAEEncode", {"pixels": PIXELS}),
        ("VAEEncodeForInpaint", {"pixels": PIXELS, "mask": torch.zeros(1, 64, 64)}),
    ],
)
def test_a_checkpoint_without_vae_is_explained(run, class_type, inputs):
    with pytest.raises(NodeError, match="has no VAE"):
        run(class_type, vae=None, **inputs)


def test_in_tiles_the_result_is_nearly_that_of_one_pass(run, vae):
    pixels = torch.rand(1, 6, 8, 3, generator=torch.Generator().manual_seed(0)).repeat_interleave(16, 1)
    pixels = pixels.repeat_interleave(16, 2)
    (whole,) = run("VAEEncode", pixels=pixels, vae=vae)
    (tiled,) = run("VAEEncodeTiled", pixels=pixels, vae=vae, tile_size=64, overlap=32)
    assert tiled["samples"].shape == whole["samples"].shape
    assert (tiled["samples"] - whole["samples"]).abs().mean() < whole["samples"].std() / 2
    (picture,) = run("VAEDecode", samples=whole, vae=vae)
    sizes = {"temporal_size": 64, "temporal_overlap": 8}
    (decoded,) = run("VAEDecodeTiled", samples=whole, vae=vae, tile_size=64, overlap=64, **sizes)
    assert decoded.shape == picture.shape
    assert 0 < (decoded - picture).abs().mean() < 0.1
    (same,) = run("VAEDecodeTiled", samples=whole, vae=vae, tile_size=512, overlap=64, **sizes)
    assert torch.allclose(same, picture, atol=1e-5)


def test_tiles_that_overlap_by_all_of_themselves_are_refused(run, vae):
    with pytest.raises(NodeError, match="cannot overlap"):
        run("VAEEncodeTiled", pixels=PIXELS, vae=vae, tile_size=64, overlap=64)
