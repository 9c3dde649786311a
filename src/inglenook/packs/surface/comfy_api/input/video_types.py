"""Videos that nodes take, under their older name."""

from inglenook.packs.surface_finder import missing
from inglenook.packs.v3.video import VideoInput

__all__ = ["VideoInput"]

__getattr__ = missing(__name__)
