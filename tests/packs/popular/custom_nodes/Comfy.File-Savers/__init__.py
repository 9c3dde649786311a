"""Savers of files, and loaders. The name of the folder has a dot and a hyphen."""

from .savers import NODE_CLASS_MAPPINGS as SAVERS
from .latents import NODE_CLASS_MAPPINGS as LATENTS
from .previews import NODE_CLASS_MAPPINGS as PREVIEWS

NODE_CLASS_MAPPINGS = {**SAVERS, **LATENTS, **PREVIEWS}
