"""What describes a video, under its older name."""

from inglenook.packs.surface_finder import missing
from inglenook.packs.v3.video import VideoCodec, VideoComponents, VideoContainer

__all__ = ["VideoCodec", "VideoComponents", "VideoContainer"]

__getattr__ = missing(__name__)
