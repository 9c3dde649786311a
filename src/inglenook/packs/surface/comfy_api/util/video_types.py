"""What describes a video, under its older name."""

from inglenook.nodes.video_values import VideoCodec, VideoComponents, VideoContainer
from inglenook.packs.surface_finder import missing

__all__ = ["VideoCodec", "VideoComponents", "VideoContainer"]

__getattr__ = missing(__name__)
