"""ComfyUI's `comfyui_version`: the version whose API this server speaks, as `/system_stats` tells it."""

from __future__ import annotations

from inglenook import COMFYUI_VERSION as __version__
from inglenook.packs.surface_finder import missing

__all__ = ["__version__"]

__getattr__ = missing(__name__)
