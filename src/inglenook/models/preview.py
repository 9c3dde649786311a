"""Pictures of a latent while it is being sampled: cheap enough for every step."""

from __future__ import annotations

import io

import torch
from PIL import Image
from torch import Tensor

from inglenook.models.families.family import LatentFormat

JPEG_QUALITY = 95


def latent_to_jpeg(latent: Tensor, form: LatentFormat, longest_side: int) -> bytes:
    """A JPEG of the first item of `latent`, each channel painted in its own colour, enlarged to `longest_side` pixels.

    latent: [batch, channels, h, w], scaled as the network has it.
    """
    picture = latent_to_picture(latent, form)
    ratio = longest_side / max(picture.size)
    size = max(round(picture.width * ratio), 1), max(round(picture.height * ratio), 1)
    file = io.BytesIO()
    picture.resize(size, Image.Resampling.BILINEAR).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def latent_to_picture(latent: Tensor, form: LatentFormat) -> Image.Image:
    """The first item of `latent` in colours, one pixel for each of the latent's."""
    factors = torch.tensor(form.rgb, dtype=torch.float32)
    colours = latent[0].float().cpu().movedim(0, -1) @ factors + torch.tensor(form.rgb_bias)
    values = ((colours + 1.0) * 127.5).clamp(0, 255).nan_to_num(0).to(torch.uint8)
    return Image.fromarray(values.numpy())
