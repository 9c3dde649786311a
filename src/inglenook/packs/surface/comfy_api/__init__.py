"""The versioned API of nodes; `comfy_api.latest` is what packs use."""

from inglenook.packs.surface_finder import missing

__getattr__ = missing(__name__)
