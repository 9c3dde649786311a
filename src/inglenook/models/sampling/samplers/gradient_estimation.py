"""Gradient estimation (Permenter & Yuan 2024, arXiv 2306.04848): Euler steps that look back at the last direction."""

from __future__ import annotations

from torch import Tensor

from inglenook.models.sampling.samplers.steps import Denoise, Run, slope, steps


def gradient_estimation(
    model: Denoise, x: Tensor, sigmas: Tensor, run: Run, *, gamma: float = 2.0, cfg_pp: bool = False
) -> Tensor:
    """gamma 1 is Euler's method. cfg_pp: the direction is the negative prompt's alone (see `cfg_pp`)."""
    previous: Tensor | None = None
    for step, sigma, following in steps(sigmas):
        denoised, basis = model.with_uncond(x, sigma) if cfg_pp else (model(x, sigma), None)
        run.report(step, denoised)
        direction = slope(x, sigma, denoised if basis is None else basis)
        if following == 0:
            x = denoised
            continue
        x = denoised + direction * following
        if previous is not None:
            x = x + (gamma - 1) * (direction - previous) * (following - sigma)
        previous = direction
    return x
