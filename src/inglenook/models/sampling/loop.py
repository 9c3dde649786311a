"""Sampling from beginning to end: noise in, sampler over the guided model, latent out."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from inglenook.engine.context import check_interrupted
from inglenook.errors import NodeError
from inglenook.models.handles import LoadedModel, Model
from inglenook.models.sampling.guidance import Guidance, Guider
from inglenook.models.sampling.noise import NoiseSource
from inglenook.models.sampling.samplers import Run, Sampler


@dataclass(frozen=True, slots=True, eq=False)
class StepReport:
    """What watchers of a run are told in each step."""

    step: int
    """From 0."""
    total: int
    denoised: Tensor
    """The clean latent so far, scaled as the network has it, on the device."""
    x: Tensor
    """The noisy latent that the network saw last, likewise."""


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """Latents as they leave the sampler, unscaled, float32 on the CPU."""

    latent: Tensor
    denoised: Tensor
    """The clean latent of the last step: equal to `latent` unless noise is left over."""


def sample(
    guider: Guider,
    sampler: Sampler,
    sigmas: Tensor,
    noise: Tensor,
    latent: Tensor,
    *,
    seed: int,
    mask: Tensor | None = None,
    watch: Callable[[StepReport], None] = lambda report: None,
) -> Sampled:
    """Sample `latent` along the noise levels `sigmas`.

    noise, latent: [batch, channels, h, w], unscaled, float32; mask: [batch or 1, 1, h', w'] in pixels of any size, 1
    where the picture may change; seed: of the noise inside the sampler. Fewer than two noise levels leave the latent
    as it is. Raises NodeError for a latent that does not fit the model, InterruptProcessing when the run was asked to
    stop.
    """
    model = guider.model
    _check(model, latent, sigmas)
    if len(sigmas) < 2:
        return Sampled(latent, latent)
    with torch.inference_mode(), model.loaded() as loaded:
        device = model.device
        scaled = latent.to(device) * model.latent.scale
        noise = noise.to(device)
        keep = (
            None
            if mask is None
            else _Keep(_fit_mask(mask, latent.shape).to(device), scaled, _mask_noise(sampler, noise, seed))
        )
        denoise = GuidedModel(loaded, guider.prepare(latent.shape), keep, scaled)
        last: list[Tensor] = [scaled]

        def report(step: int, denoised: Tensor) -> None:
            last[0] = denoised
            watch(StepReport(step, len(sigmas) - 1, denoised, denoise.last))

        prediction = model.prediction
        pure = prediction.starts_from_pure_noise(sigmas[0])
        x = prediction.noisy(noise, scaled, sigmas[0], from_pure_noise=pure)
        x = sampler.function(denoise, x, sigmas, Run(NoiseSource(seed), prediction.table.at_percent, report))
        x = prediction.unscaled(x)
        return Sampled(_leave(x, model), _leave(last[0], model))


Callback = Callable[[int, Tensor, Tensor, int], object]
"""Called in each step with its number, the clean latent, the noisy one, and the number of steps; see `StepReport`."""


def sample_with_callback(
    guider: Guider,
    sampler: Sampler,
    sigmas: Tensor,
    noise: Tensor,
    latent: Tensor | None,
    mask: Tensor | None,
    callback: Callback | None,
    seed: int | None,
) -> Tensor:
    """`sample` as node packs know it: returns the latent; None in place of one means zeros, no seed means chance."""

    def watch(report: StepReport) -> None:
        if callback is not None:
            callback(report.step, report.denoised, report.x, report.total)

    return sample(
        guider,
        sampler,
        sigmas,
        noise.float(),
        torch.zeros_like(noise, dtype=torch.float32) if latent is None else latent.float(),
        seed=random.getrandbits(63) if seed is None else seed,
        mask=mask,
        watch=watch,
    ).latent


@dataclass(slots=True)
class GuidedModel:
    """A guided model as samplers see it (`samplers.Denoise`)."""

    model: LoadedModel
    guidance: Guidance
    keep: _Keep | None
    last: Tensor
    """What it was asked about last."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        check_interrupted()
        self.last = x
        if self.keep is None:
            return self.guidance.denoise(self.model, x, sigma)
        return self.keep.after(self.guidance.denoise(self.model, self.keep.before(x, sigma, self.model), sigma))

    def with_uncond(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        check_interrupted()
        self.last = x
        if self.keep is None:
            return self.guidance.denoise_both(self.model, x, sigma)
        x = self.keep.before(x, sigma, self.model)
        denoised, uncond = self.guidance.denoise_both(self.model, x, sigma)
        return self.keep.after(denoised), uncond


@dataclass(frozen=True, slots=True, eq=False)
class _Keep:
    """The part of a picture that does not change: the model sees it with a step's noise, the sampler without."""

    mask: Tensor
    latent: Tensor
    noise: Tensor

    def before(self, x: Tensor, sigma: Tensor, model: LoadedModel) -> Tensor:
        kept = model.model.prediction.noisy(self.noise, self.latent, sigma)
        return x * self.mask + kept * (1.0 - self.mask)

    def after(self, denoised: Tensor) -> Tensor:
        return denoised * self.mask + self.latent * (1.0 - self.mask)


def _mask_noise(sampler: Sampler, noise: Tensor, seed: int) -> Tensor:
    if not sampler.fresh_mask_noise:
        return noise
    generator = torch.Generator().manual_seed((seed + 1) % 2**64)
    return torch.randn(noise.shape, generator=generator).to(noise)


def _fit_mask(mask: Tensor, shape: torch.Size) -> Tensor:
    """A mask in latent pixels, for each item and channel: [batch, channels, h, w]."""
    mask = mask.reshape(-1, 1, *mask.shape[-2:]).float()
    mask = F.interpolate(mask, size=tuple(shape[2:]), mode="bilinear")
    repeats = -(-shape[0] // mask.shape[0])
    return mask.repeat(repeats, shape[1], 1, 1)[: shape[0]]


def _leave(x: Tensor, model: Model) -> Tensor:
    """Off the device, unscaled, and out of inference mode."""
    unscaled = x.float().cpu() / model.latent.scale
    with torch.inference_mode(False):
        return unscaled.clone()


def _check(model: Model, latent: Tensor, sigmas: Tensor) -> None:
    if latent.ndim != 4 or latent.shape[1] != model.latent.channels:
        raise NodeError(
            f"the latent is {tuple(latent.shape)}, the model takes [batch, {model.latent.channels}, height, width]"
        )
    if bool(sigmas.isnan().any()):
        raise NodeError("the noise levels are not numbers: this scheduler cannot make so few steps; take 2 or more")
