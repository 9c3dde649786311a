"""`ComfyAPI`: what a running node asks of its surroundings, asynchronously or not."""

from __future__ import annotations

from typing import Any

from PIL import Image
from torch import Tensor

from inglenook.engine import context
from inglenook.media import pixels
from inglenook.nodes.environment import environment
from inglenook.nodes.resampling import to_numpy
from inglenook.packs.progress import Preview, report
from inglenook.packs.surface_finder import missing
from inglenook.packs.v3 import caching, replacements
from inglenook.packs.v3.replacements import NodeReplace


def set_progress(value: float, max_value: float, node_id: str | None = None, preview_image: Any = None) -> None:
    """Report progress of a node, by default of the one that runs; does nothing outside a run.

    preview_image: a Pillow image; a tensor [height, width, channels] 0..1 or a batch of them, of which the first is
    shown; or (format, Pillow image, longest side in pixels or None). Raises InterruptProcessing when the run was asked
    to stop.
    """
    if context.current() is None:
        return
    context.check_interrupted()
    report(value, max_value, None if preview_image is None else _preview(preview_image), node_id=node_id)


def _preview(preview: Any) -> Preview:
    if isinstance(preview, tuple):
        return preview
    picture = preview if isinstance(preview, Image.Image) else _from_tensor(preview)
    size = environment().preview_size
    return "JPEG", picture, size if max(picture.size) > size else None


def _from_tensor(preview: Any) -> Image.Image:
    if not isinstance(preview, Tensor):
        raise TypeError(f"a preview is a Pillow image or a tensor, not {type(preview).__qualname__}")
    first = preview[0] if preview.ndim == 4 else preview
    grey = first.ndim == 2 or first.shape[-1] == 1
    return Image.fromarray(pixels.quantize(to_numpy(first.reshape(first.shape[:2]) if grey else first)))


class ComfyAPISync:
    """The services for functions that are not asynchronous."""

    class Execution:
        def set_progress(
            self, value: float, max_value: float, node_id: str | None = None, preview_image: Any = None
        ) -> None:
            """See `runtime.set_progress`."""
            set_progress(value, max_value, node_id, preview_image)

    class NodeReplacement:
        def register(self, node_replace: NodeReplace) -> None:
            """Announce that a class was replaced by another."""
            replacements.register(node_replace)

    class Caching:
        def register_provider(self, provider: caching.CacheProvider) -> None:
            """See `caching.register`."""
            caching.register(provider)

        def unregister_provider(self, provider: caching.CacheProvider) -> None:
            """Ask a provider no more."""
            caching.registered.remove(provider)

    VERSION = "latest"
    STABLE = False

    def __init__(self) -> None:
        self.execution = self.Execution()
        self.node_replacement = self.NodeReplacement()
        self.caching = self.Caching()

    def __getattr__(self, name: str) -> Any:
        return missing("comfy_api.latest.ComfyAPI")(name)


class ComfyAPI:
    """The services for asynchronous functions."""

    class Execution:
        async def set_progress(
            self, value: float, max_value: float, node_id: str | None = None, preview_image: Any = None
        ) -> None:
            """See `runtime.set_progress`."""
            set_progress(value, max_value, node_id, preview_image)

    class NodeReplacement:
        async def register(self, node_replace: NodeReplace) -> None:
            """Announce that a class was replaced by another."""
            replacements.register(node_replace)

    class Caching:
        async def register_provider(self, provider: caching.CacheProvider) -> None:
            """See `caching.register`."""
            caching.register(provider)

        async def unregister_provider(self, provider: caching.CacheProvider) -> None:
            """Ask a provider no more."""
            caching.registered.remove(provider)

    VERSION = "latest"
    STABLE = False

    def __init__(self) -> None:
        self.execution = self.Execution()
        self.node_replacement = self.NodeReplacement()
        self.caching = self.Caching()

    def __getattr__(self, name: str) -> Any:
        return missing("comfy_api.latest.ComfyAPI")(name)
