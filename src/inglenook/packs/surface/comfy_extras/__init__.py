"""ComfyUI's `comfy_extras`: modules of node classes, which packs call and extend."""

from __future__ import annotations

from inglenook.packs.surface_finder import missing

__getattr__ = missing(__name__)
