"""ComfyUI's `nodes`: the built-in classes in V1 form, which packs call and extend; classes of packs join them."""

from __future__ import annotations

from inglenook.engine.context import check_interrupted as before_node_execution
from inglenook.packs.builtin_classes import LACKING_NODES, builtin_classes, display_names
from inglenook.packs.devices import interrupt_current_processing as interrupt_processing
from inglenook.packs.sampling import common_ksampler
from inglenook.packs.surface_finder import missing
from inglenook.packs.unavailable import unavailable_node

__all__ = [
    "EXTENSION_WEB_DIRS",
    "LOADED_MODULE_DIRS",
    "MAX_RESOLUTION",
    "NODE_CLASS_MAPPINGS",
    "NODE_DISPLAY_NAME_MAPPINGS",
    "before_node_execution",
    "common_ksampler",
    "interrupt_processing",
]

MAX_RESOLUTION = 16384
NODE_CLASS_MAPPINGS: dict[str, type] = builtin_classes()
NODE_DISPLAY_NAME_MAPPINGS: dict[str, str] = display_names()
EXTENSION_WEB_DIRS: dict[str, str] = {}
"""Pack -> folder of its scripts for the editor."""
LOADED_MODULE_DIRS: dict[str, str] = {}
"""Pack -> its folder."""

globals().update({name: unavailable_node(__name__, name) for name in LACKING_NODES})
globals().update(NODE_CLASS_MAPPINGS)
__all__ += [*NODE_CLASS_MAPPINGS]

__getattr__ = missing(__name__)
