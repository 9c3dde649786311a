"""A pack's list of node classes, as `comfy_entrypoint()` returns it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from inglenook.packs.v3.node import ComfyNode


class ComfyExtension(ABC):
    """Base of extensions."""

    async def on_load(self) -> None:  # noqa: B027 - nothing to do is a good default
        """Called once, before the node classes are asked for."""

    @abstractmethod
    async def get_node_list(self) -> list[type[ComfyNode]]:
        """The node classes."""
