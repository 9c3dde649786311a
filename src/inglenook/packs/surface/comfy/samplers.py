"""ComfyUI's `comfy.samplers`: samplers, schedules, guidance."""

from __future__ import annotations

from inglenook.models.sampling.samplers import Sampler
from inglenook.models.sampling.samplers import find_sampler as sampler_object
from inglenook.models.sampling.schedules import beta as beta_scheduler
from inglenook.models.sampling.schedules import ddim_uniform as ddim_scheduler
from inglenook.models.sampling.schedules import linear_quadratic as linear_quadratic_schedule
from inglenook.models.sampling.schedules import normal as normal_scheduler
from inglenook.models.sampling.schedules import simple as simple_scheduler
from inglenook.packs.samplers import SAMPLER_NAMES, SCHEDULER_NAMES, CFGGuider, KSampler, calculate_sigmas, ksampler
from inglenook.packs.samplers import from_k_diffusion as KSAMPLER
from inglenook.packs.samplers import sample_guided as sample
from inglenook.packs.surface_finder import missing

__all__ = [
    "CFGGuider",
    "KSAMPLER",
    "KSAMPLER_NAMES",
    "KSampler",
    "SAMPLER_NAMES",
    "SCHEDULER_NAMES",
    "Sampler",
    "calculate_sigmas",
    "ksampler",
    "sample",
    "sampler_object",
    "beta_scheduler",
    "ddim_scheduler",
    "linear_quadratic_schedule",
    "normal_scheduler",
    "simple_scheduler",
]

KSAMPLER_NAMES = SAMPLER_NAMES

__getattr__ = missing(__name__)
