"""ComfyUI's `node_helpers`: small things that many nodes do."""

from __future__ import annotations

from inglenook.packs.node_helpers import conditioning_set_values, hasher, image_alpha_fix, pillow, string_to_torch_dtype
from inglenook.packs.surface_finder import missing

__all__ = [
    "conditioning_set_values",
    "hasher",
    "image_alpha_fix",
    "pillow",
    "string_to_torch_dtype",
]

__getattr__ = missing(__name__)
