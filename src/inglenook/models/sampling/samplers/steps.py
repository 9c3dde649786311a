"""What all samplers share: the run that they get, and the arithmetic of a step.

Noise levels are float32 scalars on the CPU, so that no step waits for a GPU.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from inglenook.models.sampling.noise import NoiseSource


class Denoise(Protocol):
    """The model as a sampler sees it; it knows nothing else of it."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The clean latent in `x`, whose noise level is `sigma` (a scalar)."""

    def with_uncond(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """The clean latent, and the one that the negative prompt alone implies (for the CFG++ samplers)."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a sampler needs besides the model."""

    noise: NoiseSource
    sigma_at_percent: Callable[[float], float]
    """The model's noise level when a part of its range, 0..1, is done."""
    report: Callable[[int, Tensor], None]
    """Called once in each step with its number and the clean latent so far."""


SamplerFunction = Callable[[Denoise, Tensor, Tensor, Run], Tensor]
"""(model, noisy latent, noise levels, run) -> latent at the last noise level."""


def steps(sigmas: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Number, noise level and next noise level of each step."""
    for number, (sigma, following) in enumerate(itertools.pairwise(sigmas)):
        yield number, sigma, following


def slope(x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
    """dx / dsigma of the probability flow ODE (Karras et al. 2022, eq. 1)."""
    return (x - denoised) / sigma


def ancestral(sigma: Tensor, following: Tensor, eta: float = 1.0) -> tuple[Tensor, Tensor]:
    """The level to step down to, and that of the noise to add, to arrive at `following` with `eta` of the variance new.

    crowsonkb/k-diffusion `get_ancestral_step` (MIT).
    """
    if not eta:
        return following, following * 0
    up = (eta * (following**2 * (sigma**2 - following**2) / sigma**2) ** 0.5).clamp(max=float(following))
    return (following**2 - up**2) ** 0.5, up


def log_snr(sigma: Tensor) -> Tensor:
    """Half the logarithm of the signal-to-noise ratio: the "time" of the DPM-Solver family."""
    return sigma.log().neg()


def level(half_log_snr: Tensor) -> Tensor:
    """The inverse of `log_snr`."""
    return half_log_snr.neg().exp()
