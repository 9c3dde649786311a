"""ComfyUI's `comfy.sd`: model files as MODEL, CLIP and VAE."""

from __future__ import annotations

from inglenook.models.handles import Clip as CLIP
from inglenook.packs.checkpoints import VAE, load_checkpoint, load_checkpoint_guess_config, load_state_dict_guess_config
from inglenook.packs.surface_finder import missing

__all__ = [
    "CLIP",
    "VAE",
    "load_checkpoint",
    "load_checkpoint_guess_config",
    "load_state_dict_guess_config",
]

__getattr__ = missing(__name__)
