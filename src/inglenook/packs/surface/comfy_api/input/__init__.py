"""Kinds of values that nodes take."""

from inglenook.packs.surface_finder import missing
from inglenook.packs.v3.kinds import AudioInput, ImageInput, LatentInput, MaskInput
from inglenook.packs.v3.video import VideoInput

__all__ = ["AudioInput", "ImageInput", "LatentInput", "MaskInput", "VideoInput"]

__getattr__ = missing(__name__)
