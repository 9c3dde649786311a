"""`comfy.utils.ProgressBar`: how far a node is, with a picture of its work; and the hook that packs may set."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from PIL import Image, ImageOps

from inglenook.engine import context
from inglenook.engine.events import NodeRef
from inglenook.engine.values import well_formed
from inglenook.models.preview import JPEG_QUALITY

Preview = tuple[str, Image.Image, int | None]
"""Format (`JPEG`, `PNG`), picture, and the longest side that it is brought to (None: as it is)."""
Hook = Callable[..., Any]
"""Called with value, total, preview and the keyword `node_id`."""


def report(value: float, total: float, preview: Preview | None = None, *, node_id: str | None = None) -> None:
    """Tell clients how far a node is: the running one, or `node_id`.

    Raises InterruptProcessing when the run was asked to stop. Does nothing outside a run.
    """
    running = context.current()
    if running is None:
        return
    if node_id is not None and node_id != running.node.node_id:
        name = well_formed(str(node_id))
        running = replace(running, node=NodeRef(name, name, None, name))
    with context.running(running):
        context.progress(value, total, preview=None if preview is None else encode(preview))


def encode(preview: Preview) -> tuple[bytes, str]:
    """The file bytes of a preview and their media type."""
    form, image, longest_side = preview
    if longest_side is not None:
        image = ImageOps.contain(image, (longest_side, longest_side), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    if form.upper() in ("JPEG", "JPG"):
        image.convert("RGB").save(file, "JPEG", quality=JPEG_QUALITY)
        return file.getvalue(), "image/jpeg"
    image.save(file, "PNG", compress_level=1)
    return file.getvalue(), "image/png"


class _Switch:
    """Whether and whom progress bars tell, for the whole process."""

    hook: Hook | None = staticmethod(report)
    is_on = True


def hook() -> Hook | None:
    """Whom progress bars tell."""
    return _Switch.hook


def is_enabled() -> bool:
    """Whether progress bars tell anybody."""
    return _Switch.is_on


def set_progress_bar_global_hook(function: Hook | None) -> None:
    """Let the progress bars that follow call `function` instead."""
    _Switch.hook = None if function is None else staticmethod(function)


def set_progress_bar_enabled(enabled: bool) -> None:
    """Switch progress bars off or on again."""
    _Switch.is_on = enabled


class ProgressBar:
    """Progress of the node that makes it; may be moved on from threads that the node starts.

    node_id: another node whose progress it is.
    """

    def __init__(self, total: float, node_id: str | None = None) -> None:
        self.total = total
        self.current: float = 0
        self.node_id = node_id
        self.hook = hook()
        self._running = context.current()
        self._lock = threading.RLock()

    def update(self, value: float) -> None:
        """Move on by `value`."""
        with self._lock:  # threads that move on at once lose no step, and are told in order
            self.update_absolute(self.current + value)

    def update_absolute(self, value: float, total: float | None = None, preview: Preview | None = None) -> None:
        """Move to `value` of `total`. Raises InterruptProcessing when the run was asked to stop."""
        if total is not None:
            self.total = total
        self.current = min(value, self.total)
        if self.hook is None or not is_enabled():
            return
        # A thread that the node started has no context of its own.
        inherits = context.current() is None and self._running is not None
        with context.running(self._running) if inherits and self._running is not None else nullcontext():
            self.hook(self.current, self.total, preview, node_id=self.node_id)
