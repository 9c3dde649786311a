"""ComfyUI's `comfy_extras.nodes_audio`: node classes."""

from __future__ import annotations

from inglenook.packs.extras import classes_of
from inglenook.packs.surface_finder import missing

globals().update(classes_of(__name__))

__getattr__ = missing(__name__)
