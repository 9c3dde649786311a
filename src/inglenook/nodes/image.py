"""Pictures from files and to files. IMAGE is float32 [batch, height, width, channels], 0..1."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inglenook.engine import context
from inglenook.media import pixels, png
from inglenook.media.folders import FileKind
from inglenook.media.metadata import workflow_text
from inglenook.media.naming import FileRef, temporary_prefix, write_output
from inglenook.nodes.environment import environment
from inglenook.nodes.registry import node
from inglenook.nodes.resampling import to_numpy

SAVE_LEVEL = 4
PREVIEW_LEVEL = 1
"""How hard PNG files are compressed, 0..9."""
_NO_MASK_SIZE = 64
"""Side of the empty mask of a picture without transparency."""


def file_hash(image: str, **_: Any) -> str:
    """The hash of an input file's content: the fingerprint of nodes that load it."""
    with environment().folders.resolve_annotated(image).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _output_file_hash(image: str, **_: Any) -> str:
    with environment().folders.resolve_annotated(image, "output").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@node("LoadImage", fingerprint=file_hash)
def load_image(image: str) -> tuple[Tensor, Tensor]:
    return _load(image, "input")


@node("LoadImageOutput", fingerprint=_output_file_hash)
def load_image_output(image: str) -> tuple[Tensor, Tensor]:
    return _load(image, "output")


def _load(name: str, kind: str) -> tuple[Tensor, Tensor]:
    """All frames of a file, and their masks, 1 - alpha."""
    path = environment().folders.resolve_annotated(name, kind)
    decoded = pixels.decode(path, round(environment().max_megapixels * 1e6))
    frames = torch.from_numpy(decoded.images)
    if decoded.masks is None:
        return frames, torch.zeros(len(frames), _NO_MASK_SIZE, _NO_MASK_SIZE)
    return frames, torch.from_numpy(decoded.masks)


@node("SaveImage")
def save_image(
    images: Iterable[Tensor], filename_prefix: str = "ComfyUI", prompt: Any = None, extra_pnginfo: Any = None
) -> dict[str, Any]:
    return save_with_workflow(images, "output", filename_prefix, SAVE_LEVEL, prompt, extra_pnginfo)


@node("PreviewImage")
def preview_image(images: Iterable[Tensor], prompt: Any = None, extra_pnginfo: Any = None) -> dict[str, Any]:
    return save_with_workflow(images, "temp", temporary_prefix(), PREVIEW_LEVEL, prompt, extra_pnginfo)


def save_with_workflow(
    images: Iterable[Tensor],
    kind: FileKind,
    prefix: str,
    level: int,
    prompt: Any,
    extra_pnginfo: Any,
    *,
    root: Path | None = None,
) -> dict[str, Any]:
    """Write each picture as PNG with the workflow inside; return the ui data that names the files.

    root: the folder, where it is not the server's own of that kind.
    """
    text = workflow_text(prompt, extra_pnginfo) if environment().save_metadata else {}
    files = save_pictures(images, kind, prefix, text, level, root=root)
    return {"ui": {"images": [file.as_json() for file in files]}}


def save_pictures(
    images: Iterable[Tensor],
    kind: FileKind,
    prefix: str,
    text: Mapping[str, str],
    level: int = SAVE_LEVEL,
    *,
    root: Path | None = None,
) -> list[FileRef]:
    """Write each picture [height, width, channels], 0..1, as PNG with `text` inside."""
    files = []
    folders = environment().folders
    for number, image in enumerate(images):
        context.check_interrupted()
        height, width = image.shape[:2]
        data = png.encode(pixels.quantize(to_numpy(image)), level=level, text=text)
        file = write_output(
            folders, kind, prefix, "png", data, width=width, height=height, batch_number=number, root=root
        )
        files.append(file)
    return files


@node("SaveImageWebsocket")
def save_image_websocket(images: Tensor) -> dict[str, Any]:
    for number, image in enumerate(images):
        context.progress(number, len(images))
        context.send_image(png.encode(pixels.quantize(to_numpy(image))), "image/png")
    return {}


@node("EmptyImage")
def empty_image(width: int, height: int, batch_size: int = 1, color: int = 0) -> tuple[Tensor]:
    rgb = torch.tensor([(color >> shift & 0xFF) / 0xFF for shift in (16, 8, 0)])
    return (rgb.expand(batch_size, height, width, 3).contiguous(),)


@node("ImageInvert")
def invert(image: Tensor) -> tuple[Tensor]:
    return (1.0 - image,)
