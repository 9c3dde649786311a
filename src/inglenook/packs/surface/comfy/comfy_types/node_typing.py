"""The same names under another one."""

from __future__ import annotations

from inglenook.packs.node_types import IO, CheckLazyMixin, ComfyNodeABC, FileLocator, InputTypeDict
from inglenook.packs.surface_finder import missing

__all__ = [
    "CheckLazyMixin",
    "ComfyNodeABC",
    "FileLocator",
    "IO",
    "InputTypeDict",
]

__getattr__ = missing(__name__)
