"""The Python surface that node packs import. Not imported as `inglenook.packs.surface.x`, except by type checkers and
tests: `surface_finder` runs `surface/folder_paths.py` as `folder_paths`, `surface/comfy/utils.py` as `comfy.utils`.

A module here holds no state and little code; it re-exports what stands in `inglenook.packs`, `nodes`, `models`, ...
It ends with `__getattr__ = missing(__name__)`, so that what it lacks is an error that names it.
"""
