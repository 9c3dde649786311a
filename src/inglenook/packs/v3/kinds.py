"""Names that packs use for kinds of values: `Input.Image`, `InputImpl.VideoFromFile`, `Types.VideoCodec`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from inglenook.nodes.video_values import (
    VideoCodec,
    VideoComponents,
    VideoContainer,
    VideoFromComponents,
    VideoFromFile,
    VideoInput,
)

ImageInput = Tensor
"""[batch, height, width, channels], 0..1."""
MaskInput = Tensor
"""[batch, height, width], 0..1."""
AudioInput = dict[str, Any]
"""`waveform` [batch, channels, samples] and `sample_rate`."""
LatentInput = dict[str, Any]
"""`samples` [batch, channels, ...], perhaps `noise_mask`, `batch_index`, `type`."""


@dataclass
class VOXEL:
    """Densities on a grid."""

    data: Tensor


@dataclass
class MESH:
    """Triangles: corners [batch, count, 3], and three indices of corners for each face."""

    vertices: Tensor
    faces: Tensor


class Input:
    """Kinds of inputs."""

    Image = ImageInput
    Mask = MaskInput
    Audio = AudioInput
    Latent = LatentInput
    Video = VideoInput


class InputImpl:
    """Kinds of inputs that nodes make."""

    VideoFromFile = VideoFromFile
    VideoFromComponents = VideoFromComponents


class Types:
    """Kinds of values inside them."""

    VideoCodec = VideoCodec
    VideoContainer = VideoContainer
    VideoComponents = VideoComponents
    VOXEL = VOXEL
    MESH = MESH
