"""The network modules of diffusers and transformers, imported late and once: they take four seconds of CPU.

A device process is ready without them; it calls `preload` on a thread of its own, so that the first model rarely waits.
"""

from __future__ import annotations

import threading
from typing import Any

_lock = threading.Lock()


def preload() -> None:
    """Import everything that building networks needs."""
    diffusers()
    transformers()


def diffusers() -> Any:
    """The diffusers package with its UNets and autoencoders imported."""
    with _lock:  # two threads in its lazy imports would meet half-made modules
        import diffusers
        import diffusers.models.autoencoders.autoencoder_kl
        import diffusers.models.unets.unet_2d_condition
    return diffusers


def transformers() -> Any:
    """The transformers package with CLIP imported."""
    with _lock:
        import transformers
        import transformers.models.clip.modeling_clip
    return transformers
