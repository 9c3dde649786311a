"""ComfyUI's `latent_preview`: pictures of latents while packs sample."""

from __future__ import annotations

from inglenook.packs.arguments import LatentPreviewMethod
from inglenook.packs.previews import Latent2RGBPreviewer, LatentPreviewer, get_previewer, prepare_callback
from inglenook.packs.previews import max_preview_resolution as _max_preview_resolution
from inglenook.packs.surface_finder import missing
from inglenook.packs.unavailable import unavailable_class

__all__ = [
    "Latent2RGBPreviewer",
    "LatentPreviewMethod",
    "LatentPreviewer",
    "get_previewer",
    "prepare_callback",
]

TAESDPreviewerImpl = unavailable_class(__name__, "TAESDPreviewerImpl")

__getattr__ = missing(
    __name__,
    {
        "MAX_PREVIEW_RESOLUTION": _max_preview_resolution,
    },
)
