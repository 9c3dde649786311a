"""`comfy.samplers` over `models.sampling`: samplers, schedules, guidance.

Tensors are unscaled latents, [batch, channels, h, w], float32 on the CPU. A callback is called in each step with its
number, the clean latent, the noisy one (both scaled, on the device), and the number of steps.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from inglenook.errors import NodeError
from inglenook.models.handles import Model
from inglenook.models.model_options import refuse_options
from inglenook.models.sampling.guidance import CfgGuider, Conditioning, Guidance
from inglenook.models.sampling.loop import Callback, sample_with_callback
from inglenook.models.sampling.prediction import SigmaTable
from inglenook.models.sampling.samplers import SAMPLERS, Denoise, Run, Sampler, find_sampler
from inglenook.models.sampling.schedules import (
    SCHEDULES,
    SKIPS_PENULTIMATE,
    part_of,
    sampler_sigmas,
    schedule_sigmas,
)

SAMPLER_NAMES = list(SAMPLERS)
SCHEDULER_NAMES = list(SCHEDULES)
_NO_END = 1 << 31


def steps_between(sigmas: Tensor, start_step: int | None, last_step: int | None, force_full_denoise: bool) -> Tensor:
    """The noise levels of some steps; force_full_denoise: the last of them goes down to 0."""
    return part_of(sigmas, start_step or 0, _NO_END if last_step is None else last_step, to_the_end=force_full_denoise)


class KSampler:
    """A sampler and a schedule for a model."""

    SAMPLERS = SAMPLER_NAMES
    SCHEDULERS = SCHEDULER_NAMES
    DISCARD_PENULTIMATE_SIGMA_SAMPLERS = SKIPS_PENULTIMATE

    def __init__(
        self,
        model: Model,
        steps: int,
        device: torch.device | None = None,
        sampler: str | None = None,
        scheduler: str | None = None,
        denoise: float | None = None,
        model_options: Mapping[str, Any] | None = None,
    ) -> None:
        refuse_options(model_options)
        self.model = model
        self.device = model.device if device is None else device
        self.sampler = SAMPLER_NAMES[0] if sampler is None else sampler
        self.scheduler = SCHEDULER_NAMES[0] if scheduler is None else scheduler
        self.set_steps(steps, denoise)

    def set_steps(self, steps: int, denoise: float | None = None) -> None:
        """Choose the number of steps, and which part of a longer schedule they are."""
        self.steps = steps
        self.denoise = denoise
        self.sigmas = sampler_sigmas(
            self.scheduler, self.sampler, self.model.prediction.table, steps, 1.0 if denoise is None else denoise
        )

    def calculate_sigmas(self, steps: int) -> Tensor:
        """The noise levels of `steps` steps of the whole schedule."""
        return sampler_sigmas(self.scheduler, self.sampler, self.model.prediction.table, steps)

    def sample(
        self,
        noise: Tensor,
        positive: Conditioning,
        negative: Conditioning,
        cfg: float,
        latent_image: Tensor | None = None,
        start_step: int | None = None,
        last_step: int | None = None,
        force_full_denoise: bool = False,
        denoise_mask: Tensor | None = None,
        sigmas: Tensor | None = None,
        callback: Callback | None = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        """Sample; returns the latent."""
        levels = self.sigmas if sigmas is None else sigmas
        levels = steps_between(levels, start_step, last_step, force_full_denoise)
        guider = CfgGuider(self.model, positive, negative, cfg)
        sampler = find_sampler(self.sampler)
        return sample_with_callback(guider, sampler, levels, noise, latent_image, denoise_mask, callback, seed)


class CFGGuider:
    """Classifier-free guidance of a model; a GUIDER. How predictions are combined cannot be overridden."""

    _FIXED = frozenset({"predict_noise", "inner_sample", "outer_sample", "inner_set_conds"})

    def __init__(self, model_patcher: Model) -> None:
        self.model_patcher = model_patcher
        self.cfg = 1.0
        self.conds: dict[str, Conditioning] = {}

    def __init_subclass__(cls) -> None:
        overridden = sorted(cls._FIXED & vars(cls).keys())
        if overridden:
            raise NotImplementedError(
                f"{cls.__name__} overrides CFGGuider.{overridden[0]}, which inglenook does not call "
                "(see docs/custom-nodes.md)"
            )

    def set_conds(self, positive: Conditioning, negative: Conditioning | None = None) -> None:
        """Choose the prompts."""
        self.conds = {"positive": positive} if negative is None else {"positive": positive, "negative": negative}

    def set_cfg(self, cfg: float) -> None:
        """Choose how far to push away from the negative prompt."""
        self.cfg = cfg

    @property
    def model(self) -> Model:
        """For the samplers here, which take a `models.sampling.guidance.Guider`."""
        return self.model_patcher

    def prepare(self, shape: Sequence[int]) -> Guidance:
        """Likewise."""
        if "positive" not in self.conds:
            raise NodeError(f"{type(self).__name__} has no conditioning: call set_conds() before it samples")
        guider = CfgGuider(self.model_patcher, self.conds["positive"], self.conds.get("negative"), self.cfg)
        return guider.prepare(shape)

    def sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        sampler: Sampler,
        sigmas: Tensor,
        denoise_mask: Tensor | None = None,
        callback: Callback | None = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        """Sample a latent along `sigmas`."""
        return sample_with_callback(self, sampler, sigmas, noise, latent_image, denoise_mask, callback, seed)


def sample_guided(
    model: Model,
    noise: Tensor,
    positive: Conditioning,
    negative: Conditioning,
    cfg: float,
    device: torch.device,
    sampler: Sampler,
    sigmas: Tensor,
    model_options: Mapping[str, Any] | None = None,
    latent_image: Tensor | None = None,
    denoise_mask: Tensor | None = None,
    callback: Callback | None = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Tensor:
    """`comfy.samplers.sample`: the same as `sample_custom` with its arguments in another order."""
    refuse_options(model_options)
    guider = CfgGuider(model, positive, negative, cfg)
    return sample_with_callback(guider, sampler, sigmas, noise, latent_image, denoise_mask, callback, seed)


def calculate_sigmas(model_sampling: SigmaTable, scheduler_name: str, steps: int) -> Tensor:
    """The noise levels of a schedule for `model.get_model_object("model_sampling")`."""
    return schedule_sigmas(scheduler_name, model_sampling, steps)


def ksampler(
    sampler_name: str,
    extra_options: Mapping[str, Any] | None = None,
    inpaint_options: Mapping[str, Any] | None = None,
) -> Sampler:
    """A sampler with its own options (`eta`, `s_noise`, ...). Raises NodeError for one that it does not have."""
    sampler = find_sampler(sampler_name)
    if extra_options:
        known = [
            name
            for name, parameter in inspect.signature(sampler.function).parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        ]
        for name in extra_options:
            if name not in known:
                raise NodeError(f"sampler {sampler_name} has no option {name!r}; it has: {', '.join(known) or 'none'}")
        sampler = replace(sampler, function=partial(sampler.function, **extra_options))
    return replace(sampler, fresh_mask_noise=True) if (inpaint_options or {}).get("random") else sampler


def from_k_diffusion(
    sampler_function: Callable[..., Tensor],
    extra_options: Mapping[str, Any] | None = None,
    inpaint_options: Mapping[str, Any] | None = None,
) -> Sampler:
    """A sampler from a function of crowsonkb/k-diffusion's form, which packs bring: `comfy.samplers.KSAMPLER`.

    It is called with the model, the noisy latent, the noise levels, and the keywords `extra_args` (`seed`),
    `callback`, `disable` and `extra_options`.
    """
    options = dict(extra_options or {})

    def function(denoise: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
        def model(x: Tensor, sigma: Tensor, **_: Any) -> Tensor:
            return denoise(x, sigma.flatten()[0].cpu())

        def callback(state: Mapping[str, Any]) -> None:
            run.report(int(state["i"]), state["denoised"])

        extra = {"seed": run.noise.seed}
        levels = sigmas.to(x.device)
        return sampler_function(model, x, levels, extra_args=extra, callback=callback, disable=True, **options)

    name = getattr(sampler_function, "__name__", "sampler")
    return Sampler(name, function, fresh_mask_noise=bool((inpaint_options or {}).get("random")))
