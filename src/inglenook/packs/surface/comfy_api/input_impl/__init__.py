"""Values that nodes make."""

from inglenook.packs.surface_finder import missing
from inglenook.packs.v3.video import VideoFromComponents, VideoFromFile

__all__ = ["VideoFromComponents", "VideoFromFile"]

__getattr__ = missing(__name__)
