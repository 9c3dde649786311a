"""ComfyUI's `comfy_extras.nodes_mask`: node classes, and the function that they share."""

from __future__ import annotations

from inglenook.packs.extras import classes_of
from inglenook.packs.surface_finder import missing
from inglenook.packs.tensors import composite as composite

globals().update(classes_of(__name__))

__getattr__ = missing(__name__)
