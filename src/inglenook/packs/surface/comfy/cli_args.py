"""ComfyUI's `comfy.cli_args`: the options of the server."""

from __future__ import annotations

from inglenook.packs.arguments import LatentPreviewMethod, args
from inglenook.packs.surface_finder import missing

__all__ = [
    "LatentPreviewMethod",
    "args",
]

__getattr__ = missing(__name__)
