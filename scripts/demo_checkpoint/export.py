"""Write the trained networks as one safetensors file in the ordinary SD1.5 single-file layout, float16.

Three things happen on the way:

* the encoder's latents have a variance of about 1; `quant_conv` and `post_quant_conv` take SD1.5's factor
  0.18215 in, so that the file works with the usual scale;
* the text encoder gets all 49,408 rows: tokens that no caption uses share one learned row;
* what shapes do not tell goes into the metadata: heads, groups, the colours of latents (for previews).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from architecture import (
    LATENT_SCALE,
    NORM_GROUPS,
    TEXT_WIDTH,
    UNET_CHANNELS,
    VAE_CHANNELS,
    VOCABULARY,
    make_text_encoder,
    make_unet,
    make_vae,
)
from safetensors.torch import save_file
from torch import Tensor
from train_vae import LATENT_RGB

from inglenook.models.keymap import CLIP_PREFIX, UNET_PREFIX, VAE_PREFIX, clip_keys, unet_keys, vae_keys

LEAST_VARIANCE_LOG = -12.0
"""The encoder knows no doubt: samples of its latents lie within 0.003 of the mean, unscaled."""
EMBEDDING = "embeddings.token_embedding.weight"
LARGEST_BYTES = 20_000_000

State = dict[str, Tensor]


def export(folder: Path, target: Path) -> int:
    """Join `vae.pt` and `painter.pt` of a folder to a checkpoint; return its size in bytes."""
    painter = torch.load(folder / "painter.pt")
    unet = _part(painter["average"], "unet.")
    state = unet_keys((1, 1, 1, 0), 2, 1).state_to_original(_checked(unet, make_unet()), UNET_PREFIX)
    vae = with_usual_scale(torch.load(folder / "vae.pt"))
    state |= vae_keys(len(VAE_CHANNELS), 2).state_to_original(_checked(vae, make_vae()), VAE_PREFIX)
    state |= {CLIP_PREFIX + key: value for key, value in text_state(painter).items()}
    halved = {key: value.to(torch.float16).contiguous() for key, value in state.items()}
    assert all(value.isfinite().all() for value in halved.values())
    save_file(halved, target, metadata=_metadata())
    size = target.stat().st_size
    if size > LARGEST_BYTES:
        raise SystemExit(f"{target} has {size} bytes, at most {LARGEST_BYTES} are allowed")
    return size


def with_usual_scale(vae: State) -> State:
    """Divide encoded latents by SD1.5's scale, and multiply by it before decoding; fix the encoder's variance."""
    vae = dict(vae)
    means = torch.arange(8)[:, None, None, None] < 4
    vae["quant_conv.weight"] = torch.where(means, vae["quant_conv.weight"] / LATENT_SCALE, 0.0)
    bias = vae["quant_conv.bias"] / LATENT_SCALE
    vae["quant_conv.bias"] = torch.where(means.flatten(), bias, LEAST_VARIANCE_LOG)
    vae["post_quant_conv.weight"] = vae["post_quant_conv.weight"] * LATENT_SCALE
    return vae


def text_state(painter: dict[str, object]) -> State:
    """Return the text encoder's weights below `text_model.`, with a row for every token."""
    average, ids = painter["average"], painter["ids"]
    assert isinstance(average, dict)
    text = {key.removeprefix("text_model."): value for key, value in _part(average, "text.").items()}
    rows = text[EMBEDDING]
    full = rows[:1].repeat(VOCABULARY, 1)
    full[ids] = rows[1:]
    text[EMBEDDING] = full
    known = clip_keys(2)
    expected = {key.removeprefix("text_model.") for key in make_text_encoder().state_dict()}
    assert expected == set(text), expected ^ set(text)
    return known.state_to_original(text)


def _part(state: State, prefix: str) -> State:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _checked(state: State, module: torch.nn.Module) -> State:
    """Make sure that a state dict fits its module."""
    module.load_state_dict(state)
    return state


def _metadata() -> dict[str, str]:
    return {
        "modelspec.title": "inglenook demo",
        "modelspec.architecture": "stable-diffusion-v1",
        "modelspec.license": "MIT",
        "modelspec.description": "Draws one coloured shape on a coloured background, 128 x 128 pixels.",
        "inglenook.unet_heads": "8",
        "inglenook.clip_heads": str(max(1, TEXT_WIDTH // 64)),
        "inglenook.norm_groups": str(NORM_GROUPS),
        "inglenook.latent_rgb": json.dumps([*_rounded(LATENT_RGB), [0.0, 0.0, 0.0]]),
    }


def _rounded(table: Tensor) -> list[list[float]]:
    return [[round(value, 4) for value in row] for row in table.tolist()]


def main() -> None:
    """Parse arguments and export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("demo-training"), help="where vae.pt and painter.pt are")
    parser.add_argument("--target", type=Path, default=Path("demo-training/inglenook-demo.safetensors"))
    arguments = parser.parse_args()
    size = export(arguments.folder, arguments.target)
    print(f"{arguments.target}: {size / 1e6:.1f} MB, UNet {UNET_CHANNELS}, VAE {VAE_CHANNELS}")


if __name__ == "__main__":
    main()
