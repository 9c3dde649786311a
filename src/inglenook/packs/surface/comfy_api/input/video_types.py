"""Videos that nodes take, under their older name."""

from inglenook.nodes.video_values import VideoInput
from inglenook.packs.surface_finder import missing

__all__ = ["VideoInput"]

__getattr__ = missing(__name__)
