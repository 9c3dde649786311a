"""Sampling taken apart: noise, guider, sampler and sigmas are nodes of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from inglenook.models.handles import Model
from inglenook.models.sampling.guidance import CfgGuider, Conditioning, Guider
from inglenook.models.sampling.loop import sample
from inglenook.models.sampling.noise import initial_noise
from inglenook.models.sampling.samplers import Sampler, find_sampler
from inglenook.models.sampling.schedules import sigmas_for
from inglenook.nodes.registry import node
from inglenook.nodes.sampling import Latent, step_watcher

_SMALL_SIGMA = 0.0001


class Noise(Protocol):
    """A NOISE value; custom nodes bring their own."""

    seed: int

    def generate_noise(self, input_latent: Latent) -> Tensor:
        """Noise like the samples of a latent."""


@dataclass(slots=True)
class SeededNoise:
    """The noise of a seed."""

    seed: int

    def generate_noise(self, input_latent: Latent) -> Tensor:
        return initial_noise(input_latent["samples"], self.seed, input_latent.get("batch_index"))


@dataclass(slots=True)
class NoNoise:
    """Zeros; the seed is that of the sampler's own noise."""

    seed: int = 0

    def generate_noise(self, input_latent: Latent) -> Tensor:
        return torch.zeros_like(input_latent["samples"])


@node("RandomNoise")
def random_noise(noise_seed: int) -> tuple[Noise]:
    return (SeededNoise(noise_seed),)


@node("DisableNoise")
def disable_noise() -> tuple[Noise]:
    return (NoNoise(),)


@node("KSamplerSelect")
def select_sampler(sampler_name: str) -> tuple[Sampler]:
    return (find_sampler(sampler_name),)


@node("BasicScheduler")
def basic_scheduler(model: Model, scheduler: str, steps: int, denoise: float) -> tuple[Tensor]:
    return (sigmas_for(scheduler, model.prediction.table, steps, denoise),)


@node("SplitSigmas")
def split_sigmas(sigmas: Tensor, step: int) -> tuple[Tensor, Tensor]:
    return sigmas[: step + 1], sigmas[step:]


@node("SplitSigmasDenoise")
def split_sigmas_denoise(sigmas: Tensor, denoise: float) -> tuple[Tensor, Tensor]:
    steps = max(sigmas.shape[-1] - 1, 0)
    kept = round(steps * denoise)
    return sigmas[:-kept], sigmas[-(kept + 1) :]


@node("FlipSigmas")
def flip_sigmas(sigmas: Tensor) -> tuple[Tensor]:
    """From low to high; a 0 at its beginning becomes a small noise level, from which a sampler can go up."""
    flipped = sigmas.flip(0)
    if len(flipped) and flipped[0] == 0:
        flipped[0] = _SMALL_SIGMA
    return (flipped,)


@node("SetFirstSigma")
def set_first_sigma(sigmas: Tensor, sigma: float) -> tuple[Tensor]:
    changed = sigmas.clone()
    changed[:1] = sigma
    return (changed,)


@node("BasicGuider")
def basic_guider(model: Model, conditioning: Conditioning) -> tuple[Guider]:
    return (CfgGuider(model, conditioning),)


@node("CFGGuider")
def cfg_guider(model: Model, positive: Conditioning, negative: Conditioning, cfg: float) -> tuple[Guider]:
    return (CfgGuider(model, positive, negative, cfg),)


@node("SamplerCustom")
def sampler_custom(
    model: Model,
    add_noise: bool,
    noise_seed: int,
    cfg: float,
    positive: Conditioning,
    negative: Conditioning,
    sampler: Sampler,
    sigmas: Tensor,
    latent_image: Latent,
) -> tuple[Latent, Latent]:
    noise: Noise = SeededNoise(noise_seed) if add_noise else NoNoise(noise_seed)
    return sampler_custom_advanced(noise, CfgGuider(model, positive, negative, cfg), sampler, sigmas, latent_image)


@node("SamplerCustomAdvanced")
def sampler_custom_advanced(
    noise: Noise, guider: Guider, sampler: Sampler, sigmas: Tensor, latent_image: Latent
) -> tuple[Latent, Latent]:
    latent: dict[str, Any] = {**latent_image, "samples": latent_image["samples"].float()}
    sampled = sample(
        guider,
        sampler,
        sigmas,
        noise.generate_noise(latent),
        latent["samples"],
        seed=noise.seed,
        mask=latent.get("noise_mask"),
        watch=step_watcher(guider.model),
    )
    return {**latent, "samples": sampled.latent}, {**latent, "samples": sampled.denoised}
