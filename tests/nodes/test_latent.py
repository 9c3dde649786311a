import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from inglenook.errors import MediaError, ModelError
from inglenook.nodes.bislerp import bislerp, slerp

REFERENCE = Path(__file__).parents[1] / "data/reference/latents"
CASES = json.loads((REFERENCE / "index.json").read_text())


@pytest.mark.parametrize("name", CASES)
def test_latents_equal_the_reference(name, run_graph, environment):
    for file in (REFERENCE / "inputs").iterdir():
        shutil.copy(file, environment.folders.input)
    results = run_graph(CASES[name]["workflow"])
    for file in CASES[name]["files"]:
        (saved,) = results[file["node"]]["ui"]["latents"]
        got = load_file(environment.folders.output / saved["subfolder"] / saved["filename"])["latent_tensor"]
        wanted = load_file(REFERENCE / file["file"])["latent_tensor"]
        assert got.shape == wanted.shape
        torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-5)


def test_empty_latents_are_an_eighth_of_the_picture(run):
    (latent,) = run("EmptyLatentImage", width=512, height=256, batch_size=2)
    assert latent["samples"].shape == (2, 4, 32, 64)
    assert not latent["samples"].any()


def test_sizes_of_upscaled_latents(run):
    latent = {"samples": torch.rand(1, 4, 16, 32), "noise_mask": torch.ones(1, 1, 8, 8)}

    def size(width, height):
        (result,) = run(
            "LatentUpscale", samples=latent, upscale_method="bilinear", width=width, height=height, crop="disabled"
        )
        return result["samples"].shape[-1] * 8, result["samples"].shape[-2] * 8

    assert size(512, 512) == (512, 512)
    assert size(0, 0) == (256, 128)
    assert size(512, 0) == (512, 256)
    assert size(0, 256) == (512, 256)
    assert size(16, 16) == (64, 64)


def test_upscale_by_a_factor_never_ends_at_nothing(run):
    (result,) = run(
        "LatentUpscaleBy", samples={"samples": torch.rand(1, 4, 8, 8)}, upscale_method="bislerp", scale_by=0.01
    )
    assert result["samples"].shape == (1, 4, 1, 1)


def test_other_entries_survive(run):
    latent = {"samples": torch.rand(1, 4, 8, 8), "batch_index": [5]}
    (larger,) = run("LatentUpscaleBy", samples=latent, upscale_method="area", scale_by=2.0)
    (masked,) = run("SetLatentNoiseMask", samples=larger, mask=torch.ones(64, 64))
    assert masked["batch_index"] == [5]
    assert masked["noise_mask"].shape == (1, 1, 64, 64)
    assert "noise_mask" not in latent


def test_a_saved_latent_comes_back_with_its_workflow(run, environment):
    samples = torch.rand(2, 4, 8, 8)
    result = run("SaveLatent", samples={"samples": samples}, filename_prefix="latents/x", prompt={"1": {}})
    (file,) = result["ui"]["latents"]
    assert file == {"filename": "x_00001_.latent", "subfolder": "latents", "type": "output"}
    (loaded,) = run("LoadLatent", latent="latents/x_00001_.latent [output]")
    assert torch.equal(loaded["samples"], samples)
    assert b'"prompt"' in (environment.folders.output / "latents" / file["filename"]).read_bytes()[:200]


def test_latents_of_the_first_version_are_unscaled(run, environment):
    save_file({"latent_tensor": torch.full((1, 4, 2, 2), 0.18215)}, environment.folders.input / "old.latent")
    (loaded,) = run("LoadLatent", latent="old.latent")
    torch.testing.assert_close(loaded["samples"], torch.ones(1, 4, 2, 2))


def test_a_latent_is_loaded_again_when_its_file_changes(implementations, environment):
    fingerprint = implementations["LoadLatent"].fingerprint
    path = environment.folders.input / "x.latent"
    save_file({"latent_tensor": torch.zeros(1)}, path)
    first = fingerprint(latent="x.latent")
    assert fingerprint(latent="x.latent") == first
    save_file({"latent_tensor": torch.ones(1)}, path)
    assert fingerprint(latent="x.latent") != first


def test_other_files_are_no_latents(run, environment):
    (environment.folders.input / "text.latent").write_text("hello")
    with pytest.raises(ModelError, match=r"text\.latent"):
        run("LoadLatent", latent="text.latent")
    save_file({"x": torch.zeros(1)}, environment.folders.input / "other.latent")
    with pytest.raises(MediaError, match="no saved latent"):
        run("LoadLatent", latent="other.latent")


def test_slerp_keeps_lengths_where_mixing_would_shrink_them():
    first, second = torch.tensor([[1.0], [0.0]])[None, :, :, None], torch.tensor([[0.0], [1.0]])[None, :, :, None]
    half = slerp(first, second, torch.tensor(0.5))
    torch.testing.assert_close(half.norm(), torch.tensor(1.0))
    torch.testing.assert_close(slerp(first, first, torch.tensor(0.5)), first)
    torch.testing.assert_close(slerp(first, -first, torch.tensor(0.5)), torch.zeros_like(first))
    torch.testing.assert_close(slerp(first, torch.zeros_like(first), torch.tensor(0.0)), first)


def test_bislerp_to_the_same_size_changes_nothing():
    samples = torch.randn(1, 4, 6, 9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(bislerp(samples, 9, 6), samples)
