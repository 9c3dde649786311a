"""Image utilities, in the style of packs with one module per topic that are collected at import."""

import importlib

MODULES = ["resize", "color", "mask", "load", "save", "batch"]

NODE_CLASS_MAPPINGS = {}
NODE_DISPLAY_NAME_MAPPINGS = {}

for name in MODULES:
    module = importlib.import_module(f".image_nodes.{name}", package=__name__)
    NODE_CLASS_MAPPINGS.update(module.NODE_CLASS_MAPPINGS)
    NODE_DISPLAY_NAME_MAPPINGS.update(getattr(module, "NODE_DISPLAY_NAME_MAPPINGS", {}))

WEB_DIRECTORY = "./web/js"
__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]

print("### Loading: Image Tools (%d nodes)" % len(NODE_CLASS_MAPPINGS))
