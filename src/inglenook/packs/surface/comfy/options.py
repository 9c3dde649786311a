"""ComfyUI's `comfy.options`: whether the command line is read, which is no business of nodes here."""

from __future__ import annotations

from inglenook.packs.surface_finder import missing

__all__ = [
    "args_parsing",
    "enable_args_parsing",
]

args_parsing = False


def enable_args_parsing(enable: bool = True) -> None:
    """Nothing to do: `comfy.cli_args` knows the server's settings."""


__getattr__ = missing(__name__)
