"""ComfyUI's `comfy.sd`: model files as MODEL, CLIP and VAE."""

from __future__ import annotations

from inglenook.models.handles import Clip as CLIP
from inglenook.packs.checkpoints import VAE, load_checkpoint, load_checkpoint_guess_config, load_state_dict_guess_config
from inglenook.packs.surface_finder import missing
from inglenook.packs.unavailable import unavailable_class, unavailable_function

__all__ = [
    "CLIP",
    "VAE",
    "load_checkpoint",
    "load_checkpoint_guess_config",
    "load_state_dict_guess_config",
]

CLIPType = unavailable_class(__name__, "CLIPType")
for _name in (
    "load_clip", "load_diffusion_model", "load_diffusion_model_state_dict", "load_gligen", "load_lora_for_models",
    "load_style_model", "load_text_encoder_state_dicts", "load_unet", "save_checkpoint",
):  # fmt: skip
    globals()[_name] = unavailable_function(__name__, _name)

__getattr__ = missing(__name__)
