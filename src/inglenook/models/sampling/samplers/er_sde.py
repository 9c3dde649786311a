"""Extended reverse-time SDE solver (Cui et al. 2023, arXiv 2309.06169; formulas as in QinpengCui/ER-SDE-Solver)."""

from __future__ import annotations

import torch
from torch import Tensor

from inglenook.models.sampling.samplers.steps import Denoise, Run, steps

_POINTS = 200
"""Points of the numerical integrals, as in the paper's code."""


def er_sde(model: Denoise, x: Tensor, sigmas: Tensor, run: Run, *, s_noise: float = 1.0, max_stage: int = 3) -> Tensor:
    """Third order from three steps' predictions."""
    noise = run.noise.white(x)
    previous = previous_slope = x
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        if following == 0:
            x = denoised
            continue
        stage = min(max_stage, step + 1)
        ratio = _scale(following) / _scale(sigma)
        x = ratio * x + (1 - ratio) * denoised
        change = following - sigma
        places = following - torch.arange(_POINTS) * change / _POINTS
        if stage >= 2:
            integral = (1 / _scale(places)).sum() * (-change / _POINTS)
            slope = (denoised - previous) / (sigma - sigmas[step - 1])
            x = x + (change + integral * _scale(following)) * slope
            if stage >= 3:
                integral = ((places - sigma) / _scale(places)).sum() * (-change / _POINTS)
                bend = (slope - previous_slope) / ((sigma - sigmas[step - 2]) / 2)
                x = x + (change**2 / 2 + integral * _scale(following)) * bend
            previous_slope = slope
        spread = (following**2 - sigma**2 * ratio**2).sqrt().nan_to_num(nan=0.0)
        x = x + noise(sigma, following) * s_noise * spread
        previous = denoised
    return x


def _scale(level: Tensor) -> Tensor:
    """The paper's choice of noise, "ER-SDE 5"."""
    return level * ((level**0.3).exp() + 10.0)
