"""What every family says about a checkpoint, in the same words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from inglenook.models.load import Network
from inglenook.models.sampling.prediction import Prediction
from inglenook.models.text.prompt import ChunkShape

Forward = Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]
"""(module, latent [batch, channels, h, w], time steps [batch], context [batch, tokens, width]) -> output."""


@dataclass(frozen=True, slots=True, eq=False)
class LatentFormat:
    """How the latents of a family look."""

    channels: int
    scale: float
    """Factor from the VAE's latents to those that the network knows."""
    rgb: tuple[tuple[float, float, float], ...]
    """Per channel its part in red, green and blue, -1..1, for previews."""
    rgb_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    pixels: int = 8
    """Pixels of the picture per latent pixel, each way."""

    # For node packs

    @property
    def latent_channels(self) -> int:
        return self.channels

    @property
    def scale_factor(self) -> float:
        return self.scale

    @property
    def latent_rgb_factors(self) -> list[list[float]]:
        return [list(row) for row in self.rgb]

    @property
    def latent_rgb_factors_bias(self) -> list[float]:
        return list(self.rgb_bias)

    def process_in(self, latent: Tensor) -> Tensor:
        """A latent as the network knows it."""
        return latent * self.scale

    def process_out(self, latent: Tensor) -> Tensor:
        """A latent as nodes pass it around."""
        return latent / self.scale


@dataclass(frozen=True, slots=True, eq=False)
class DiffusionPart:
    """The network that is sampled with."""

    network: Network
    forward: Forward
    prediction: Prediction
    latent: LatentFormat


@dataclass(frozen=True, slots=True, eq=False)
class TextPart:
    """The text encoder."""

    network: Network
    shape: ChunkShape
    width: int


@dataclass(frozen=True, slots=True, eq=False)
class VaePart:
    """The autoencoder."""

    network: Network
    channels: int
    pixels: int


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What a file turned out to hold."""

    family: str
    diffusion: DiffusionPart
    text: TextPart | None
    vae: VaePart | None
