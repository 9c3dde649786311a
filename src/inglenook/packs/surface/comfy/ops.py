"""ComfyUI's `comfy.ops`: layers for the networks that packs bring."""

from __future__ import annotations

from inglenook.packs.devices import cast_to
from inglenook.packs.operations import cast_bias_weight, cast_to_input, disable_weight_init, manual_cast
from inglenook.packs.surface_finder import missing

__all__ = ["cast_bias_weight", "cast_to", "cast_to_input", "disable_weight_init", "manual_cast"]

__getattr__ = missing(__name__)
