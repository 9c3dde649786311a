"""Videos that nodes make, under their older name."""

from inglenook.nodes.video_values import VideoFromComponents, VideoFromFile
from inglenook.packs.surface_finder import missing

__all__ = ["VideoFromComponents", "VideoFromFile"]

__getattr__ = missing(__name__)
