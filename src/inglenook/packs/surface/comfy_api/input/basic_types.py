"""Kinds of values that nodes take, under their older name."""

from inglenook.packs.surface_finder import missing
from inglenook.packs.v3.kinds import AudioInput, ImageInput, LatentInput, MaskInput

__all__ = ["AudioInput", "ImageInput", "LatentInput", "MaskInput"]

__getattr__ = missing(__name__)
