"""KSampler and KSamplerAdvanced: a latent is sampled, step by step, with progress and previews."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from inglenook.engine import context
from inglenook.models.handles import Model
from inglenook.models.preview import latent_to_jpeg
from inglenook.models.sampling.guidance import CfgGuider, Conditioning
from inglenook.models.sampling.loop import StepReport, sample
from inglenook.models.sampling.noise import initial_noise
from inglenook.models.sampling.samplers import find_sampler
from inglenook.models.sampling.schedules import part_of, sampler_sigmas
from inglenook.nodes.environment import environment
from inglenook.nodes.registry import node

Latent = dict[str, Any]
"""`samples` [batch, channels, h, w] and perhaps `noise_mask`, `batch_index`."""


@node("KSampler")
def ksampler(
    model: Model,
    seed: int,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Latent,
    denoise: float = 1.0,
) -> tuple[Latent]:
    sigmas = sampler_sigmas(scheduler, sampler_name, model.prediction.table, steps, denoise)
    guider = CfgGuider(model, positive, negative, cfg)
    return (sample_latent(guider, sampler_name, sigmas, seed, latent_image, with_noise=True),)


@node("KSamplerAdvanced")
def ksampler_advanced(
    model: Model,
    add_noise: str,
    noise_seed: int,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Latent,
    start_at_step: int,
    end_at_step: int,
    return_with_leftover_noise: str,
) -> tuple[Latent]:
    sigmas = sampler_sigmas(scheduler, sampler_name, model.prediction.table, steps)
    sigmas = part_of(sigmas, start_at_step, end_at_step, to_the_end=return_with_leftover_noise == "disable")
    guider = CfgGuider(model, positive, negative, cfg)
    return (sample_latent(guider, sampler_name, sigmas, noise_seed, latent_image, with_noise=add_noise == "enable"),)


def sample_latent(
    guider: CfgGuider, sampler_name: str, sigmas: Tensor, seed: int, latent: Latent, *, with_noise: bool
) -> Latent:
    """A latent, sampled; its other entries are kept. Reports progress of the running node."""
    samples = latent["samples"].float()
    noise = initial_noise(samples, seed, latent.get("batch_index")) if with_noise else torch.zeros_like(samples)
    sampled = sample(
        guider,
        find_sampler(sampler_name),
        sigmas,
        noise,
        samples,
        seed=seed,
        mask=latent.get("noise_mask"),
        watch=step_watcher(guider.model),
    )
    return {**latent, "samples": sampled.latent}


def step_watcher(model: Model) -> Callable[[StepReport], None]:
    """What reports each step of a sampler as progress of the running node, with a preview where one is wanted."""
    running = context.current()
    if running is None:
        return lambda report: None
    method = running.preview_method or environment().preview_method
    longest_side = environment().preview_size

    def watch(report: StepReport) -> None:
        preview = None
        if method != "none":
            preview = latent_to_jpeg(report.denoised, model.latent, longest_side), "image/jpeg"
        context.progress(report.step + 1, report.total, preview=preview)

    return watch
