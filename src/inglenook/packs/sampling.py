"""Sampling as packs call it: `nodes.common_ksampler` and `comfy.sample`, over `models.sampling`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from inglenook.models.handles import Model
from inglenook.models.sampling.guidance import CfgGuider, Conditioning
from inglenook.models.sampling.loop import Callback, sample_with_callback
from inglenook.models.sampling.noise import initial_noise
from inglenook.models.sampling.samplers import Sampler
from inglenook.models.sampling.schedules import sampler_sigmas
from inglenook.nodes.sampling import Latent, sample_latent
from inglenook.packs.samplers import KSampler, steps_between


def common_ksampler(
    model: Model,
    seed: int,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Conditioning,
    negative: Conditioning,
    latent: Latent,
    denoise: float = 1.0,
    disable_noise: bool = False,
    start_step: int | None = None,
    last_step: int | None = None,
    force_full_denoise: bool = False,
) -> tuple[Latent]:
    """What the KSampler nodes do, as one function; reports progress of the running node."""
    sigmas = sampler_sigmas(scheduler, sampler_name, model.prediction.table, steps, denoise)
    sigmas = steps_between(sigmas, start_step, last_step, force_full_denoise)
    latent = {**latent, "samples": fix_empty_latent_channels(model, latent["samples"])}
    guider = CfgGuider(model, positive, negative, cfg)
    return (sample_latent(guider, sampler_name, sigmas, seed, latent, with_noise=not disable_noise),)


# comfy.sample


def prepare_noise(latent_image: Tensor, seed: int, noise_inds: Sequence[int] | None = None) -> Tensor:
    """The noise of a seed, like the latent; see `models.sampling.noise.initial_noise`."""
    return initial_noise(latent_image, seed, noise_inds)


def fix_empty_latent_channels(model: Model, latent_image: Tensor, downscale_ratio_spacial: int | None = None) -> Tensor:
    """An empty latent with as many channels as the model has; one with content is left as it is."""
    if latent_image.shape[1] == model.latent.channels or torch.count_nonzero(latent_image):
        return latent_image
    return latent_image.new_zeros(latent_image.shape[0], model.latent.channels, *latent_image.shape[2:])


def sample(
    model: Model,
    noise: Tensor,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Tensor,
    denoise: float = 1.0,
    disable_noise: bool = False,
    start_step: int | None = None,
    last_step: int | None = None,
    force_full_denoise: bool = False,
    noise_mask: Tensor | None = None,
    sigmas: Tensor | None = None,
    callback: Callback | None = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Tensor:
    """Sample a latent with the schedule's steps, or along `sigmas`. `noise` is taken as it is; returns the latent."""
    sampler = KSampler(model, steps, sampler=sampler_name, scheduler=scheduler, denoise=denoise)
    return sampler.sample(
        noise,
        positive,
        negative,
        cfg,
        latent_image,
        start_step,
        last_step,
        force_full_denoise,
        noise_mask,
        sigmas,
        callback,
        disable_pbar,
        seed,
    )


def sample_custom(
    model: Model,
    noise: Tensor,
    cfg: float,
    sampler: Sampler,
    sigmas: Tensor,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Tensor,
    noise_mask: Tensor | None = None,
    callback: Callback | None = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Tensor:
    """Sample a latent along `sigmas`."""
    return sample_with_callback(
        CfgGuider(model, positive, negative, cfg), sampler, sigmas, noise, latent_image, noise_mask, callback, seed
    )
