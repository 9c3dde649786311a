"""Whole workflows on a full-size checkpoint against ComfyUI's numbers. Needs 2 GB and minutes: `pytest -m reference`.

INGLENOOK_REFERENCE names the folder with `sd15/index.json`, its pictures and latents, and `make_sd15.py`;
INGLENOOK_REFERENCE_CHECKPOINT the checkpoint that this script writes (made anew without it).
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

FOLDER = Path(os.environ.get("INGLENOOK_REFERENCE", "")) / "sd15"
LIMIT = 1e-3
"""Largest difference of a latent, in its standard deviations."""
PIXEL_LIMIT = 2

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif("INGLENOOK_REFERENCE" not in os.environ, reason="INGLENOOK_REFERENCE is not set"),
]


def cases(index: str) -> dict[str, Any]:
    path = FOLDER / index
    loaded: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return loaded


CASES = {**cases("index_samplers.json"), **cases("index.json")}


@pytest.fixture(scope="module")
def full_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if given := os.environ.get("INGLENOOK_REFERENCE_CHECKPOINT"):
        return Path(given)
    path = tmp_path_factory.mktemp("reference") / "sd15-random.safetensors"
    subprocess.run([sys.executable, FOLDER.parent / "make_sd15.py", path], check=True)
    return path


@pytest.fixture
def reference_environment(environment, full_checkpoint):
    (environment.folders.models["checkpoints"].paths[0] / "sd15-random.safetensors").symlink_to(full_checkpoint)
    for file in (FOLDER / "inputs").iterdir():
        (environment.folders.input / file.name).write_bytes(file.read_bytes())
    return environment


@pytest.mark.parametrize("name", CASES)
def test_results_equal_the_reference(name, run_graph, reference_environment):
    torch.set_num_threads(os.cpu_count() or 1)
    case = CASES[name]
    results = run_graph(case["workflow"])
    numbers: dict[str, int] = {}
    for file in case["files"]:
        saved = results[file["node"]]["ui"][file["kind"]][numbers.get(file["node"], 0)]
        numbers[file["node"]] = numbers.get(file["node"], 0) + 1
        path = reference_environment.folders.output / saved["subfolder"] / saved["filename"]
        if file["kind"] == "latents":
            got, wanted = load_file(path)["latent_tensor"], load_file(FOLDER / file["file"])["latent_tensor"]
            assert float((got - wanted).abs().max() / wanted.std()) < LIMIT, file["file"]
        else:
            got, wanted = (np.asarray(Image.open(p).convert("RGB")).astype(int) for p in (path, FOLDER / file["file"]))
            assert np.abs(got - wanted).max() <= PIXEL_LIMIT, file["file"]


@pytest.fixture(scope="module")
def handles(full_checkpoint):
    from inglenook.models.handles import load_checkpoint
    from inglenook.models.memory import ModelStore
    from inglenook.models.text.embeddings import Embeddings

    return load_checkpoint(full_checkpoint, ModelStore(), Embeddings())


def intermediates() -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    prompts = json.loads((FOLDER / "intermediates.json").read_text())["prompts"]
    return load_file(FOLDER / "intermediates.safetensors"), prompts


def near(got: torch.Tensor, wanted: torch.Tensor) -> None:
    assert float((got - wanted).abs().max() / wanted.std()) < 1e-4


def test_encoded_prompts_equal_the_reference(handles):
    from inglenook.models.text.encode import encode_prompt

    tensors, prompts = intermediates()
    for name, prompt in prompts.items():
        clip = handles[1].stopped_at(-2) if "layer-2" in name else handles[1]
        encoded = encode_prompt(clip, prompt)
        near(encoded.context, tensors[name])
        near(encoded.pooled, tensors[f"{name}.pooled"])


def test_network_outputs_equal_the_reference(handles):
    tensors, _ = intermediates()
    with torch.inference_mode(), handles[0].loaded() as model:
        for name, wanted in tensors.items():
            if name.startswith("unet.denoised."):
                _, _, side, level = name.split(".", 3)
                sigma = torch.tensor([float(level.removeprefix("sigma"))])
                x = tensors[f"unet.x.{side}"]
                near(model.denoise(x * sigma, sigma, tensors["clip.pos"]), wanted)


def test_vae_equals_the_reference(handles):
    from inglenook.models.vae import decode_latents, encode_images

    tensors, _ = intermediates()
    near(decode_latents(handles[2], tensors["vae.z"]), tensors["vae.decode"])
    near(encode_images(handles[2], tensors["vae.px"]), tensors["vae.encode"])
