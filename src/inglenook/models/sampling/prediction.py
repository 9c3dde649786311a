"""What the output of a network means: noise levels, time steps, and the way from an output to a clean latent.

A `Prediction` is a table of noise levels and a kind. The kinds, with x the noisy latent and o the network's output:

    eps            o is the noise                 x0 = x - sigma * o
    v_prediction   o is the velocity              Salimans & Ho 2022, appendix D
    x0             o is the clean latent
    lcm            as eps, with the boundary condition of Luo et al. 2023 (huggingface/diffusers LCMScheduler,
    Apache-2.0) img_to_img     o is the clean latent, the input is not scaled

In ComfyUI's terms (and k-diffusion's) x has variance sigma^2 + 1 for the discrete models here; the network itself
sees it divided by the root of that. Tables are float32 on the CPU and computed as k-diffusion does, so that they are
equal bit for bit: samplers with Brownian noise react to the last bits of a sigma.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["eps", "v_prediction", "x0", "lcm", "img_to_img"]

LCM_TRAINED_STEPS = 50
"""Steps of the teacher that LCM models were distilled from."""
LCM_SIGMA_DATA = 0.5
LCM_TIMESTEP_SCALING = 10.0
BEFORE_THE_FIRST_STEP = 999999999.9
"""Noise level of percentage 0: above every model's highest."""


@dataclass(frozen=True, slots=True, eq=False)
class SigmaTable:
    """Noise levels by training time step, ascending, float32."""

    sigmas: Tensor
    log_sigmas: Tensor
    stride: int = 1
    """Training steps per entry: larger than 1 for a distilled model that knows some of them only."""

    @property
    def sigma_min(self) -> Tensor:
        return self.sigmas[0]

    @property
    def sigma_max(self) -> Tensor:
        return self.sigmas[-1]

    def timestep(self, sigma: Tensor) -> Tensor:
        """The training step whose noise level is nearest, for each element of `sigma`."""
        distances = sigma.cpu().log() - self.log_sigmas[:, None]
        nearest = distances.abs().argmin(dim=0).view(sigma.shape).to(sigma.device)
        return nearest if self.stride == 1 else nearest * self.stride + (self.stride - 1)

    def sigma(self, timestep: Tensor) -> Tensor:
        """The noise level at a step, log-linear between two entries of the table."""
        position = timestep.float().cpu()
        if self.stride > 1:
            position = (position - (self.stride - 1)) / self.stride
        position = position.clamp(0, len(self.sigmas) - 1)
        low, high, weight = position.floor().long(), position.ceil().long(), position.frac()
        return ((1 - weight) * self.log_sigmas[low] + weight * self.log_sigmas[high]).exp().to(timestep.device)

    def at_percent(self, percent: float) -> float:
        """The noise level when `percent` (0..1) of the sampling range is done."""
        if percent <= 0.0:
            return BEFORE_THE_FIRST_STEP
        if percent >= 1.0:
            return 0.0
        last = len(self.sigmas) * self.stride - 1
        return float(self.sigma(torch.tensor((1.0 - percent) * last)))

    percent_to_sigma = at_percent
    """The name that node packs know."""

    @classmethod
    def of(cls, sigmas: Tensor, stride: int = 1) -> SigmaTable:
        return cls(sigmas.float(), sigmas.log().float(), stride)


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """How to feed a discrete diffusion model and how to read what it says."""

    kind: Kind
    table: SigmaTable
    sigma_data: float = 1.0

    def scaled_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The noisy latent as the network expects it."""
        if self.kind == "img_to_img":
            return x
        sigma = _like(sigma, x)
        return x / (sigma**2 + self.sigma_data**2) ** 0.5

    def denoised(self, x: Tensor, output: Tensor, sigma: Tensor) -> Tensor:
        """The clean latent that the network's output implies."""
        level = _like(sigma, output)
        match self.kind:
            case "eps":
                return x - output * level
            case "v_prediction":
                variance = level**2 + self.sigma_data**2
                return x * self.sigma_data**2 / variance - output * level * self.sigma_data / variance**0.5
            case "lcm":
                scaled = _like(self.table.timestep(sigma), output) * LCM_TIMESTEP_SCALING
                skip = LCM_SIGMA_DATA**2 / (scaled**2 + LCM_SIGMA_DATA**2)
                out = scaled / (scaled**2 + LCM_SIGMA_DATA**2) ** 0.5
                return out * (x - output * level) + skip * x
            case "x0" | "img_to_img":
                return output

    def noisy(self, noise: Tensor, latent: Tensor, sigma: Tensor, *, from_pure_noise: bool = False) -> Tensor:
        """A latent with noise of level `sigma`; from_pure_noise: at the highest level, with the variance of x there."""
        level = _like(sigma, noise)
        return noise * (torch.sqrt(1.0 + level**2.0) if from_pure_noise else level) + latent

    def starts_from_pure_noise(self, sigma: Tensor) -> bool:
        """Whether `sigma` is the highest level of the model, or above it."""
        highest, first = float(self.table.sigma_max), float(sigma)
        return math.isclose(highest, first, rel_tol=1e-05) or first > highest

    def unscaled(self, latent: Tensor) -> Tensor:
        """A sampled latent as it leaves the sampler; nothing to do for the kinds here."""
        return latent


def linear_prediction(
    kind: Kind, *, start: float = 0.00085, end: float = 0.012, steps: int = 1000, zero_terminal: bool = False
) -> Prediction:
    """A prediction over Stable Diffusion's schedule: the root of beta rises linearly from `start` to `end`.

    zero_terminal: the last step is pure noise (Lin et al. 2023, algorithm 1).
    """
    betas = torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float64) ** 2
    cumulative = torch.cumprod(1.0 - betas, dim=0)
    sigmas = ((1 - cumulative) / cumulative) ** 0.5
    if zero_terminal:
        sigmas = _zero_terminal(sigmas)
    stride = steps // LCM_TRAINED_STEPS if kind == "lcm" else 1
    return Prediction(kind, SigmaTable.of(sigmas.float()[stride - 1 :: stride] if stride > 1 else sigmas, stride))


def _zero_terminal(sigmas: Tensor) -> Tensor:
    """Shift and scale the root of the cumulative alphas to end at (nearly) zero; keeps the first step."""
    root = (1 / (sigmas * sigmas + 1)).sqrt()
    first, last = root[0].clone(), root[-1].clone()
    root = (root - last) * (first / (first - last))
    cumulative = root**2
    cumulative[-1] = 4.8973451890853435e-08
    return ((1 - cumulative) / cumulative) ** 0.5


def _like(sigma: Tensor, x: Tensor) -> Tensor:
    """A level per item of the batch, in a shape that multiplies `x`; a level for all stays a scalar."""
    if sigma.ndim == 0:
        return sigma
    return sigma.view(sigma.shape[:1] + (1,) * (x.ndim - 1))
