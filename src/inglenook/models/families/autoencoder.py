"""The convolutional autoencoder of Stable Diffusion (AutoencoderKL): reading its shape from a file, and building it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from inglenook.errors import ModelError
from inglenook.models import architectures
from inglenook.models.families.family import VaePart
from inglenook.models.files import TensorFile
from inglenook.models.keymap import VAE_PREFIX, vae_keys
from inglenook.models.load import network


@dataclass(frozen=True, slots=True)
class AutoencoderShape:
    """Everything that fixes the architecture."""

    image_channels: int
    latent_channels: int
    channels: tuple[int, ...]
    """Width of each level, widest picture first."""
    layers_per_block: int
    groups: int
    has_quant: bool
    """Whether there are 1x1 convolutions on both sides of the latent."""

    def build(self) -> nn.Module:
        levels = len(self.channels)
        options: dict[str, Any] = {
            "in_channels": self.image_channels,
            "out_channels": self.image_channels,
            "latent_channels": self.latent_channels,
            "block_out_channels": self.channels,
            "down_block_types": ("DownEncoderBlock2D",) * levels,
            "up_block_types": ("UpDecoderBlock2D",) * levels,
            "layers_per_block": self.layers_per_block,
            "norm_num_groups": self.groups,
            "use_quant_conv": self.has_quant,
            "use_post_quant_conv": self.has_quant,
        }
        module: nn.Module = architectures.diffusers().AutoencoderKL(**options)
        return module


def find_autoencoder(file: TensorFile) -> VaePart | None:
    """The autoencoder of a checkpoint or of a file of its own, or None when there is none."""
    for prefix in (VAE_PREFIX, ""):
        if f"{prefix}decoder.up.0.block.0.conv1.weight" in file.tensors:
            return _read(file, prefix)
    return None


def _read(file: TensorFile, prefix: str) -> VaePart:
    shape = _shape(file, prefix)
    keys = vae_keys(len(shape.channels), shape.layers_per_block)
    return VaePart(
        network=network(file, "vae", keys, prefix, shape.build),
        channels=shape.latent_channels,
        pixels=2 ** (len(shape.channels) - 1),
    )


def _shape(file: TensorFile, prefix: str) -> AutoencoderShape:
    channels: list[int] = []
    while (key := f"{prefix}encoder.down.{len(channels)}.block.0.conv1.weight") in file.tensors:
        channels.append(file.shape(key)[0])
    layers = 0
    while f"{prefix}encoder.down.0.block.{layers}.conv1.weight" in file.tensors:
        layers += 1
    if not channels:
        raise ModelError(f"{file.name} has the decoder of a VAE but no encoder, which is needed too")
    return AutoencoderShape(
        image_channels=file.shape(f"{prefix}encoder.conv_in.weight")[1],
        latent_channels=file.shape(f"{prefix}decoder.conv_in.weight")[1],
        channels=tuple(channels),
        layers_per_block=layers,
        groups=norm_groups(file),
        has_quant=f"{prefix}quant_conv.weight" in file.tensors,
    )


def norm_groups(file: TensorFile) -> int:
    """Groups of the group normalisations, which no shape tells: from the metadata, else Stable Diffusion's 32."""
    return whole_number(file, "inglenook.norm_groups", 32)


def whole_number(file: TensorFile, key: str, default: int) -> int:
    """A positive whole number of the file's metadata."""
    text = file.metadata.get(key, str(default))
    if not text.isdecimal() or int(text) == 0:
        raise ModelError(f"{file.name}: metadata {key} is {text!r}, it must be a positive whole number")
    return int(text)
