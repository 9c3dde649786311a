"""ComfyUI's `comfy.sample`: a latent is sampled."""

from __future__ import annotations

from inglenook.packs.sampling import fix_empty_latent_channels, prepare_noise, sample, sample_custom
from inglenook.packs.surface_finder import missing

__all__ = [
    "fix_empty_latent_channels",
    "prepare_noise",
    "sample",
    "sample_custom",
]

__getattr__ = missing(__name__)
