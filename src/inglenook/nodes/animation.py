"""Batches of pictures as one animated picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from inglenook.errors import NodeError
from inglenook.media import animation, pixels
from inglenook.media.naming import write_output
from inglenook.media.scratch import Scratch
from inglenook.nodes.environment import environment, scratch
from inglenook.nodes.registry import node
from inglenook.nodes.resampling import to_numpy


@node("SaveAnimatedPNG")
def save_png(
    images: Tensor,
    fps: float,
    compress_level: int,
    filename_prefix: str = "ComfyUI",
    prompt: Any = None,
    extra_pnginfo: Any = None,
) -> dict[str, Any]:
    text = environment().workflow_text(prompt, extra_pnginfo)

    def encode(target: Scratch, frames: animation.Frames) -> None:
        animation.encode_png(target, frames, fps, level=compress_level, text=text)

    return _save(images, filename_prefix, "png", encode)


@node("SaveAnimatedWEBP")
def save_webp(
    images: Tensor,
    fps: float,
    filename_prefix: str,
    lossless: bool,
    quality: int,
    method: str,
    prompt: Any = None,
    extra_pnginfo: Any = None,
) -> dict[str, Any]:
    text = environment().workflow_text(prompt, extra_pnginfo)
    effort = animation.WEBP_METHODS[method]

    def encode(target: Scratch, frames: animation.Frames) -> None:
        animation.encode_webp(target, frames, fps, lossless=lossless, quality=quality, method=effort, text=text)

    saved = _save(images, filename_prefix, "webp", encode)
    saved["ui"]["animated"] = [len(images) != 1]
    return saved


def _save(
    images: Tensor, prefix: str, extension: str, encode: Callable[[Scratch, animation.Frames], None]
) -> dict[str, Any]:
    if not len(images):
        raise NodeError("there is no picture to save")
    height, width = images.shape[1:3]
    with scratch() as target:
        encode(target, [pixels.quantize(to_numpy(image)) for image in images])
        file = write_output(environment().folders, "output", prefix, extension, target, width=width, height=height)
    return {"ui": {"images": [file.as_json()], "animated": [True]}}
