"""The V3 API of nodes, the latest version."""

from inglenook.packs.surface_finder import missing
from inglenook.packs.v3 import caching as Caching
from inglenook.packs.v3 import io, ui
from inglenook.packs.v3.extension import ComfyExtension
from inglenook.packs.v3.kinds import Input, InputImpl, Types
from inglenook.packs.v3.runtime import ComfyAPI, ComfyAPISync

IO = io
UI = ui

__all__ = [
    "IO",
    "UI",
    "Caching",
    "ComfyAPI",
    "ComfyAPISync",
    "ComfyExtension",
    "Input",
    "InputImpl",
    "Types",
    "io",
    "ui",
]

__getattr__ = missing(__name__)
