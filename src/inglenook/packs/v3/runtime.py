"""`ComfyAPI`: what a running node asks of its surroundings, asynchronously or not."""

from __future__ import annotations

import io
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from inglenook.engine import context
from inglenook.engine.events import NodeRef, Picture, Progress
from inglenook.media import images, pixels
from inglenook.nodes.environment import environment
from inglenook.nodes.resampling import to_numpy
from inglenook.packs.surface_finder import missing
from inglenook.packs.v3 import replacements
from inglenook.packs.v3.replacements import NodeReplace

_JPEG_QUALITY = 95
_DEFAULT_SIZE = 512


def set_progress(value: float, max_value: float, node_id: str | None = None, preview_image: Any = None) -> None:
    """Report progress of a node, by default of the one that runs; does nothing outside a run.

    preview_image: a Pillow image; a tensor [height, width, channels] 0..1 or a batch of them, of which the first is
    shown; or (format, Pillow image, longest side in pixels or None). Raises InterruptProcessing when the run was asked
    to stop.
    """
    running = context.current()
    if running is None:
        return
    context.check_interrupted()
    preview = None if preview_image is None else encode_preview(preview_image)
    if node_id is None or node_id == running.node.node_id:
        context.progress(value, max_value, preview=preview)
        return
    other = NodeRef(node_id, node_id, None, node_id)
    running.emit(Progress(other, float(value), float(max_value), None if preview is None else Picture(*preview)))


def encode_preview(preview: Any) -> tuple[bytes, str]:
    """A picture, in any form that `set_progress` takes, as file bytes and media type: PNG if asked for, else JPEG."""
    form, size = "JPEG", _preview_size()
    if isinstance(preview, tuple):
        form, preview, size = preview
    picture = preview if isinstance(preview, Image.Image) else _from_tensor(preview)
    if size is not None and max(picture.size) > size:
        picture = picture.copy()
        picture.thumbnail((size, size), Image.Resampling.BILINEAR)
    if str(form).upper() == "PNG":
        return images.encode(picture, "png"), "image/png"
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue(), "image/jpeg"


def _preview_size() -> int | None:
    try:
        return environment().preview_size
    except LookupError:
        return _DEFAULT_SIZE


def _from_tensor(preview: Any) -> Image.Image:
    if not isinstance(preview, Tensor):
        raise TypeError(f"a preview is a Pillow image or a tensor, not {type(preview).__qualname__}")
    first = preview[0] if preview.ndim == 4 else preview
    grey = first.ndim == 2 or first.shape[-1] == 1
    with torch.inference_mode():
        array = pixels.quantize(to_numpy(first.detach().reshape(first.shape[:2]) if grey else first.detach()))
    return Image.fromarray(array)


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

    VERSION = "latest"
    STABLE = False

    def __init__(self) -> None:
        self.execution = self.Execution()
        self.node_replacement = self.NodeReplacement()

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

    VERSION = "latest"
    STABLE = False

    def __init__(self) -> None:
        self.execution = self.Execution()
        self.node_replacement = self.NodeReplacement()

    def __getattr__(self, name: str) -> Any:
        return missing("comfy_api.latest.ComfyAPI")(name)
