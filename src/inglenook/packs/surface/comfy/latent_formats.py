"""ComfyUI's `comfy.latent_formats`: how the latents of model families look."""

from __future__ import annotations

from inglenook.models.families.family import LatentFormat
from inglenook.packs.latent_formats import SD15
from inglenook.packs.surface_finder import missing
from inglenook.packs.unavailable import unavailable_class

__all__ = ["SD15", "LatentFormat"]

for _name in (
    "Flux", "HunyuanVideo", "LTXV", "Mochi", "SC_B", "SC_Prior", "SD3", "SDXL", "SDXL_Playground_2_5", "SD_X4",
    "Wan21", "Wan22",
):  # fmt: skip
    globals()[_name] = unavailable_class(__name__, _name)

__getattr__ = missing(__name__)
