"""ComfyUI's `comfy.k_diffusion.utils`: shapes, folders of pictures."""

from __future__ import annotations

from inglenook.packs.k_diffusion import FolderOfImages, append_dims
from inglenook.packs.surface_finder import missing

__all__ = ["FolderOfImages", "append_dims"]

__getattr__ = missing(__name__)
