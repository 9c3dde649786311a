"""Latents: empty and larger ones, masks on them, files of them. LATENT is a dict with `samples` and perhaps more."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from inglenook.errors import MediaError
from inglenook.media.metadata import workflow_text
from inglenook.media.naming import write_output
from inglenook.models.families.sd import LATENT_SCALE
from inglenook.models.files import open_safetensors
from inglenook.nodes.environment import environment
from inglenook.nodes.registry import node
from inglenook.nodes.resampling import resize

Latent = dict[str, Any]

_PIXELS = 8
_SMALLEST_SIDE = 64
_VERSION_KEY = "latent_format_version_0"
"""An empty tensor of this name says that the latent in a file is unscaled."""


@node("EmptyLatentImage")
def empty(width: int, height: int, batch_size: int = 1) -> tuple[Latent]:
    return ({"samples": torch.zeros(batch_size, 4, height // _PIXELS, width // _PIXELS)},)


@node("LatentUpscale")
def upscale(samples: Latent, upscale_method: str, width: int, height: int, crop: str) -> tuple[Latent]:
    if width == 0 and height == 0:
        return (samples,)
    latent = samples["samples"]
    old_height, old_width = latent.shape[-2:]
    if width == 0:
        height = max(_SMALLEST_SIDE, height)
        width = max(_SMALLEST_SIDE, round(old_width * height / old_height))
    elif height == 0:
        width = max(_SMALLEST_SIDE, width)
        height = max(_SMALLEST_SIDE, round(old_height * width / old_width))
    else:
        width, height = max(_SMALLEST_SIDE, width), max(_SMALLEST_SIDE, height)
    return ({**samples, "samples": resize(latent, width // _PIXELS, height // _PIXELS, upscale_method, crop)},)


@node("LatentUpscaleBy")
def upscale_by(samples: Latent, upscale_method: str, scale_by: float) -> tuple[Latent]:
    latent = samples["samples"]
    width, height = round(latent.shape[-1] * scale_by), round(latent.shape[-2] * scale_by)
    return ({**samples, "samples": resize(latent, max(width, 1), max(height, 1), upscale_method, "disabled")},)


@node("SetLatentNoiseMask")
def set_noise_mask(samples: Latent, mask: Tensor) -> tuple[Latent]:
    return ({**samples, "noise_mask": mask.reshape(-1, 1, *mask.shape[-2:])},)


@node("SaveLatent")
def save_latent(
    samples: Latent, filename_prefix: str = "ComfyUI", prompt: Any = None, extra_pnginfo: Any = None
) -> dict[str, Any]:
    text = workflow_text(prompt, extra_pnginfo) if environment().save_metadata else {}
    tensors = {"latent_tensor": samples["samples"].contiguous(), _VERSION_KEY: torch.tensor([])}
    data = save(tensors, metadata=text or None)
    file = write_output(environment().folders, "output", filename_prefix, "latent", data)
    return {"ui": {"latents": [file.as_json()]}}


def _file_hash(latent: str) -> str:
    with environment().folders.resolve_annotated(latent).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@node("LoadLatent", fingerprint=_file_hash)
def load_latent(latent: str) -> tuple[Latent]:
    file = open_safetensors(environment().folders.resolve_annotated(latent))
    if "latent_tensor" not in file.tensors:
        raise MediaError(f"{file.name} is no saved latent: it has no tensor latent_tensor")
    samples = file.tensor("latent_tensor").float().clone()
    return ({"samples": samples if _VERSION_KEY in file.tensors else samples / LATENT_SCALE},)
