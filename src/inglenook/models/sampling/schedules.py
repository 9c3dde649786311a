"""The nine sigma schedules, by ComfyUI's names, equal to ComfyUI 0.3.64 bit for bit.

A schedule is a function of a sigma table and a number of steps; it returns `steps + 1` noise levels (sometimes fewer,
see `beta` and `ddim_uniform`), descending to 0, float32 on the CPU. Sources: crowsonkb/k-diffusion `sampling.py`
(MIT) for karras and exponential; Stability-AI/generative-models (MIT) for sgm_uniform; Lee et al. 2024 ("Beta
sampling") for beta; genmoai/mochi (Apache-2.0) for linear_quadratic; Sabour et al. 2024 ("Align your steps"), eq. 12,
for kl_optimal.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.special import betaincinv  # scipy.stats takes most of a second to import
from torch import Tensor

from inglenook.errors import NodeError
from inglenook.models.sampling.prediction import SigmaTable

Schedule = Callable[[SigmaTable, int], Tensor]

SKIPS_PENULTIMATE = frozenset({"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"})
"""Samplers that are given one more step than asked for, less the last level above zero."""


def schedule_sigmas(name: str, table: SigmaTable, steps: int) -> Tensor:
    """The noise levels of a schedule by its name."""
    if name not in SCHEDULES:
        raise NodeError(f"unknown scheduler {name!r}; one of {', '.join(SCHEDULES)} is possible")
    return SCHEDULES[name](table, steps)


def sigmas_for(scheduler: str, table: SigmaTable, steps: int, denoise: float = 1.0) -> Tensor:
    """The last `steps` steps of a schedule so long that they are the fraction `denoise` of it; empty for denoise 0."""
    if denoise <= 0.0:
        return torch.empty(0)
    total = steps if denoise >= 1.0 else int(steps / denoise)
    return schedule_sigmas(scheduler, table, total)[-(steps + 1) :]


def sampler_sigmas(scheduler: str, sampler: str, table: SigmaTable, steps: int, denoise: float = 1.0) -> Tensor:
    """As `sigmas_for`, as the KSampler nodes do it: some samplers skip the penultimate level, denoise > 0.9999 is 1."""
    if denoise <= 0.0:
        return torch.empty(0)
    total = steps if denoise > 0.9999 else int(steps / denoise)
    if sampler in SKIPS_PENULTIMATE:
        sigmas = schedule_sigmas(scheduler, table, total + 1)
        sigmas = torch.cat([sigmas[:-2], sigmas[-1:]])
    else:
        sigmas = schedule_sigmas(scheduler, table, total)
    return sigmas[-(steps + 1) :]


def part_of(sigmas: Tensor, start: int, end: int, *, to_the_end: bool) -> Tensor:
    """The levels of steps `start` to `end` (excluded); to_the_end: the last step goes down to 0 in any case."""
    if end < len(sigmas) - 1:
        sigmas = sigmas[: end + 1]
        if to_the_end:
            sigmas = torch.cat([sigmas[:-1], sigmas.new_zeros(1)])
    return sigmas[start:]


def normal(table: SigmaTable, steps: int, *, sgm: bool = False) -> Tensor:
    """Equal distances between training steps, both ends included; sgm: the last end left out."""
    start, end = table.timestep(table.sigma_max), table.timestep(table.sigma_min)
    append_zero = True
    if sgm:
        timesteps = torch.linspace(float(start), float(end), steps + 1)[:-1]
    else:
        if math.isclose(float(table.sigma(end)), 0, abs_tol=0.00001):
            steps, append_zero = steps + 1, False
        timesteps = torch.linspace(float(start), float(end), steps)
    levels = [float(table.sigma(step)) for step in timesteps]
    return torch.tensor(levels + [0.0] * append_zero)


def sgm_uniform(table: SigmaTable, steps: int) -> Tensor:
    """Equal distances between training steps, counted from the noisy end."""
    return normal(table, steps, sgm=True)


def simple(table: SigmaTable, steps: int) -> Tensor:
    """Every n-th entry of the table, from its noisy end."""
    stride = len(table.sigmas) / steps
    return torch.tensor([float(table.sigmas[-(1 + int(step * stride))]) for step in range(steps)] + [0.0])


def ddim_uniform(table: SigmaTable, steps: int) -> Tensor:
    """Every n-th entry of the table, from its clean end, as DDIM does; the number of steps may differ a little."""
    levels = [0.0]
    if math.isclose(float(table.sigmas[1]), 0, abs_tol=0.00001):
        steps, levels = steps + 1, []
    stride = max(len(table.sigmas) // steps, 1)
    levels += [float(level) for level in table.sigmas[1::stride]]
    return torch.tensor(levels[::-1])


def karras(table: SigmaTable, steps: int) -> Tensor:
    """Karras et al. 2022, eq. 5, with rho = 7."""
    return karras_sigmas(steps, float(table.sigma_min), float(table.sigma_max))


def karras_sigmas(steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> Tensor:
    """Karras et al. 2022, eq. 5."""
    ramp = torch.linspace(0, 1, steps)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return _with_zero((high + ramp * (low - high)) ** rho)


def exponential(table: SigmaTable, steps: int) -> Tensor:
    """Equal distances between logarithms."""
    return exponential_sigmas(steps, float(table.sigma_min), float(table.sigma_max))


def exponential_sigmas(steps: int, sigma_min: float, sigma_max: float) -> Tensor:
    """Equal distances between logarithms."""
    return _with_zero(torch.linspace(math.log(sigma_max), math.log(sigma_min), steps).exp())


def beta(table: SigmaTable, steps: int, alpha: float = 0.6, beta: float = 0.6) -> Tensor:
    """Training steps at the quantiles of a beta distribution; equal neighbours are taken once."""
    quantiles = 1 - np.linspace(0, 1, steps, endpoint=False)
    positions = np.rint(betaincinv(alpha, beta, quantiles) * (len(table.sigmas) - 1)).astype(int).tolist()
    kept = [step for number, step in enumerate(positions) if number == 0 or step != positions[number - 1]]
    return torch.tensor([float(table.sigmas[step]) for step in kept] + [0.0])


def linear_quadratic(table: SigmaTable, steps: int, threshold: float = 0.025) -> Tensor:
    """Half the steps linear up to `threshold`, the others quadratic."""
    if steps == 1:
        return torch.tensor([1.0, 0.0]) * table.sigma_max
    linear_steps = steps // 2
    quadratic_steps = steps - linear_steps
    difference = linear_steps - threshold * steps
    quadratic = difference / (linear_steps * quadratic_steps**2)
    linear = threshold / linear_steps - 2 * difference / (quadratic_steps**2)
    constant = quadratic * (linear_steps**2)
    done = [step * threshold / linear_steps for step in range(linear_steps)]
    done += [quadratic * (step**2) + linear * step + constant for step in range(linear_steps, steps)]
    return torch.tensor([1.0 - part for part in [*done, 1.0]]) * table.sigma_max


def kl_optimal(table: SigmaTable, steps: int) -> Tensor:
    """Equal distances between arcus tangents."""
    position = torch.arange(steps, dtype=torch.float).div_(steps - 1)
    low, high = math.atan(float(table.sigma_min)), math.atan(float(table.sigma_max))
    return _with_zero((position * low + (1 - position) * high).tan_())


def _with_zero(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas, sigmas.new_zeros(1)])


SCHEDULES: dict[str, Schedule] = {
    "simple": simple,
    "sgm_uniform": sgm_uniform,
    "karras": karras,
    "exponential": exponential,
    "ddim_uniform": ddim_uniform,
    "beta": beta,
    "normal": normal,
    "linear_quadratic": linear_quadratic,
    "kl_optimal": kl_optimal,
}
