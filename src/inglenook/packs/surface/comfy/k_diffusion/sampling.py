"""ComfyUI's `comfy.k_diffusion.sampling`: schedules, the arithmetic of a step, noise. Its samplers are not here."""

from __future__ import annotations

from inglenook.models.sampling.samplers.steps import ancestral as get_ancestral_step
from inglenook.models.sampling.samplers.steps import slope as to_d
from inglenook.packs.k_diffusion import (
    BrownianTreeNoiseSampler,
    append_dims,
    append_zero,
    default_noise_sampler,
    get_sigmas_exponential,
    get_sigmas_karras,
    get_sigmas_polyexponential,
)
from inglenook.packs.surface_finder import missing

__all__ = [
    "BrownianTreeNoiseSampler",
    "append_dims",
    "append_zero",
    "default_noise_sampler",
    "get_ancestral_step",
    "get_sigmas_exponential",
    "get_sigmas_karras",
    "get_sigmas_polyexponential",
    "to_d",
]

__getattr__ = missing(__name__)
