"""Kinds of values that nodes take."""

from inglenook.nodes.video_values import VideoInput
from inglenook.packs.surface_finder import missing
from inglenook.packs.v3.kinds import AudioInput, ImageInput, LatentInput, MaskInput

__all__ = ["AudioInput", "ImageInput", "LatentInput", "MaskInput", "VideoInput"]

__getattr__ = missing(__name__)
