"""ComfyUI's `comfy_extras.nodes_custom_sampler`: node classes, NOISE and GUIDER values."""

from __future__ import annotations

from inglenook.nodes.custom_sampling import NoNoise as Noise_EmptyNoise
from inglenook.nodes.custom_sampling import SeededNoise as Noise_RandomNoise
from inglenook.packs.extras import classes_of
from inglenook.packs.samplers import CFGGuider as Guider_Basic
from inglenook.packs.surface_finder import missing

__all__ = ["Guider_Basic", "Noise_EmptyNoise", "Noise_RandomNoise"]

globals().update(classes_of(__name__))

__getattr__ = missing(__name__)
