"""The V3 API of nodes, under the name of its version 0.0.1."""

from inglenook.packs.surface_finder import missing
from inglenook.packs.v3 import io, ui
from inglenook.packs.v3.extension import ComfyExtension
from inglenook.packs.v3.kinds import Input, InputImpl, Types
from inglenook.packs.v3.runtime import ComfyAPI, ComfyAPISync

IO = io
UI = ui

__all__ = [
    "IO",
    "UI",
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
