"""Refined exponential solver, two steps (Zhang et al. 2023, arXiv 2308.02157), as in NVIDIA/Cosmos (Apache-2.0)."""

from __future__ import annotations

from torch import Tensor

from inglenook.models.sampling.samplers.steps import Denoise, Run, ancestral, level, log_snr, slope, steps


def res_multistep(
    model: Denoise,
    x: Tensor,
    sigmas: Tensor,
    run: Run,
    *,
    eta: float = 0.0,
    s_noise: float = 1.0,
    cfg_pp: bool = False,
) -> Tensor:
    """Second order from two steps' predictions. eta: part of the variance that is new in each step.

    cfg_pp: the direction is the negative prompt's alone (see `cfg_pp`).
    """
    noise = run.noise.white(x)
    previous: Tensor | None = None
    previous_down = sigmas[0]
    for step, sigma, following in steps(sigmas):
        denoised, basis = model.with_uncond(x, sigma) if cfg_pp else (model(x, sigma), None)
        run.report(step, denoised)
        basis = denoised if basis is None else basis
        down, up = ancestral(sigma, following, eta)
        if down == 0 or previous is None:
            x = denoised + slope(x, sigma, basis) * down
        else:
            width = log_snr(down) - log_snr(sigma)
            first, second = _weights(width, (log_snr(sigmas[step - 1]) - log_snr(previous_down)) / width)
            x = level(width) * (x + (denoised - basis)) + width * (first * basis + second * previous)
        if following > 0 and eta:
            x = x + noise(sigma, following) * s_noise * up
        previous, previous_down = basis, down
    return x


def _weights(width: Tensor, node: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of this step's prediction and of the last one's, which stands at `node` in units of the step."""
    phi_1 = (-width).expm1() / -width
    phi_2 = (phi_1 - 1.0) / -width
    second = (phi_2 / node).nan_to_num(nan=0.0)
    return (phi_1 - phi_2 / node).nan_to_num(nan=0.0), second
