"""Values that nodes make."""

from inglenook.nodes.video_values import VideoFromComponents, VideoFromFile
from inglenook.packs.surface_finder import missing

__all__ = ["VideoFromComponents", "VideoFromFile"]

__getattr__ = missing(__name__)
