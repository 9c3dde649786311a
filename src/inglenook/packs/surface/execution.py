"""ComfyUI's `execution`, as far as packs import it to write nodes. Its executor is not here."""

from __future__ import annotations

from comfy_execution.graph_utils import GraphBuilder, is_link
from inglenook.engine.blocker import ExecutionBlocker
from inglenook.packs.surface_finder import missing

__all__ = [
    "ExecutionBlocker",
    "GraphBuilder",
    "is_link",
]

__getattr__ = missing(__name__)
