"""ComfyUI's `comfy`: tensors, devices, models and samplers, as far as nodes need them."""

from __future__ import annotations

from inglenook.packs.surface_finder import missing

__getattr__ = missing(__name__)
