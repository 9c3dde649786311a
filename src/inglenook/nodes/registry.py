"""Built-in nodes are plain functions under a decorator; their interface stands in `interfaces/<topic>.json`.

    @node("ImageInvert")
    def invert(image: Tensor) -> tuple[Tensor]:
        return (1.0 - image,)

The arguments are the inputs by name, then the hidden ones that the interface declares (`prompt`, `extra_pnginfo`, ...).
The result is a tuple of outputs, or `{"ui": {...}, "result": (...)}`. What a node needs besides (folders, models) comes
from `nodes.environment`; progress and interruption from `engine.context`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from inglenook.engine.implementation import FunctionNode, NodeImplementation
from inglenook.engine.schema import NodeSchema
from inglenook.nodes.interfaces import builtin_interfaces

Function = TypeVar("Function", bound=Callable[..., Any])

TOPICS: tuple[str, ...] = (
    "animation",
    "audio",
    "audio_signal",
    "compositing",
    "conditioning",
    "custom_sampling",
    "image",
    "image_batch",
    "image_effects",
    "image_size",
    "image_transform",
    "latent",
    "latent_batch",
    "loaders",
    "mask",
    "model_sampling",
    "primitive",
    "regular_expressions",
    "sampling",
    "text",
    "vae",
    "video",
    "video_combine",
    "video_frames",
)
"""Modules of this package that hold nodes."""


@dataclass(frozen=True, slots=True)
class _Definition:
    function: Callable[..., Any]
    fingerprint: Callable[..., Any] | None


_definitions: dict[str, _Definition] = {}


def node(class_type: str, *, fingerprint: Callable[..., Any] | None = None) -> Callable[[Function], Function]:
    """Register a function as the implementation of a built-in class.

    fingerprint: as ComfyUI's IS_CHANGED, takes the constant inputs by name and returns what must be equal for a cached
    result to be used again (the hash of a file, say).
    """

    def register(function: Function) -> Function:
        if class_type in _definitions:
            raise ValueError(f"node class {class_type} is implemented twice")
        _definitions[class_type] = _Definition(function, fingerprint)
        return function

    return register


def load() -> dict[str, NodeImplementation]:
    """Import every topic (and torch with it); return class name -> implementation of all built-in nodes."""
    for topic in TOPICS:
        importlib.import_module(f"inglenook.nodes.{topic}")
    documents = builtin_interfaces()
    implementations = {}
    for class_type, definition in _definitions.items():
        instance = FunctionNode(definition.function)
        implementations[class_type] = NodeImplementation(
            schema=NodeSchema.from_info(class_type, documents[class_type]),
            create=lambda instance=instance: instance,  # type: ignore[misc]
            fingerprint=definition.fingerprint,
            is_async=inspect.iscoroutinefunction(definition.function),
        )
    return implementations
