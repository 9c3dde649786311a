"""A random checkpoint in the layout of SD1.5 single files, small enough to be made by a test: 7 MB, 30 ms a step."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from inglenook.models.families.autoencoder import AutoencoderShape
from inglenook.models.families.sd import TextShape, UNetShape
from inglenook.models.keymap import CLIP_PREFIX, UNET_PREFIX, VAE_PREFIX, clip_keys, unet_keys, vae_keys

UNET = UNetShape(
    in_channels=4,
    out_channels=4,
    channels=(16, 32),
    depths=(1, 1),
    layers_per_block=1,
    context_width=32,
    heads=2,
    groups=8,
    time_width=64,
)
TEXT = TextShape(width=32, hidden=64, layers=3, heads=2, words=49408, positions=77)
VAE = AutoencoderShape(
    image_channels=3, latent_channels=4, channels=(8, 8, 16, 16), layers_per_block=1, groups=8, has_quant=True
)
METADATA = {"inglenook.unet_heads": "2", "inglenook.clip_heads": "2", "inglenook.norm_groups": "8"}


def tiny_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """All weights of a checkpoint under their original names, float16."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        parts = (
            (UNET.build(), unet_keys(UNET.depths, UNET.layers_per_block, 1), UNET_PREFIX),
            (TEXT.build(), clip_keys(TEXT.layers), CLIP_PREFIX),
            (VAE.build(), vae_keys(len(VAE.channels), VAE.layers_per_block), VAE_PREFIX),
        )
        state: dict[str, torch.Tensor] = {}
        for module, keys, prefix in parts:
            for name, tensor in keys.state_to_original(module.state_dict(), prefix).items():
                # The text encoder's own initialisation is so small that prompts would hardly differ.
                spread = torch.randn(tensor.shape) * 0.3 if prefix == CLIP_PREFIX and tensor.ndim > 1 else 0
                state[name] = (tensor + spread).half().contiguous()
    return state


def write_tiny_checkpoint(path: Path, seed: int = 0, **metadata: str) -> Path:
    """Write such a checkpoint; `metadata` is added, dots for double underscores."""
    path.parent.mkdir(parents=True, exist_ok=True)
    extra = {key.replace("__", "."): value for key, value in metadata.items()}
    save_file(tiny_state(seed), path, metadata={"format": "pt", **METADATA, **extra})
    return path
