"""ComfyUI's `comfy.controlnet`: ControlNets and T2I adapters. Names alone, see `inglenook.packs.unavailable`."""

from __future__ import annotations

from inglenook.packs.surface_finder import missing
from inglenook.packs.unavailable import fill

fill(__name__)

__getattr__ = missing(__name__)
