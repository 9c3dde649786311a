"""ComfyUI's `node_helpers`: small things that many nodes do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from PIL import ImageFile, UnidentifiedImageError
from torch import Tensor

Argument = TypeVar("Argument")
Result = TypeVar("Result")

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def conditioning_set_values(
    conditioning: Sequence[Sequence[Any]], values: Mapping[str, Any] | None = None, append: bool = False
) -> list[list[Any]]:
    """A conditioning with options set in each entry; append: added (`+`) to what an option is already."""
    changed = []
    for context, options in conditioning:
        options = dict(options)
        for name, value in (values or {}).items():
            options[name] = options[name] + value if append and options.get(name) is not None else value
        changed.append([context, options])
    return changed


def pillow(fn: Callable[[Argument], Result], arg: Argument) -> Result:
    """`fn(arg)` with Pillow, once more with cut-off files allowed when the first attempt fails."""
    try:
        return fn(arg)
    except (OSError, UnidentifiedImageError, ValueError):
        strict = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            return fn(arg)
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = strict


def hasher() -> Callable[..., Any]:
    """The function that tells files apart: SHA-256."""
    return hashlib.sha256


def string_to_torch_dtype(string: str) -> torch.dtype | None:
    """`fp32`, `fp16` or `bf16` as a type, None for another word."""
    return _DTYPES.get(string)


def image_alpha_fix(destination: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
    """Both pictures, [..., channels], the source with as many channels as the destination: alpha cut off, or opaque."""
    missing = destination.shape[-1] - source.shape[-1]
    if missing < 0:
        source = source[..., : destination.shape[-1]]
    elif missing > 0:
        source = F.pad(source, (0, missing), value=1.0)
    return destination, source
