"""DPM-Solver++ (Lu et al. 2022): crowsonkb/k-diffusion `sample_dpmpp_*` (MIT)."""

from __future__ import annotations

from torch import Tensor

from inglenook.models.sampling.samplers.steps import Denoise, Run, ancestral, level, log_snr, steps


def dpmpp_2m(model: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """Second order from two steps' predictions."""
    previous: Tensor | None = None
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        time, next_time = log_snr(sigma), log_snr(following)
        width = next_time - time
        direction = denoised
        if previous is not None and following != 0:
            ratio = (time - log_snr(sigmas[step - 1])) / width
            direction = (1 + 1 / (2 * ratio)) * denoised - (1 / (2 * ratio)) * previous
        x = (level(next_time) / level(time)) * x - (-width).expm1() * direction
        previous = denoised
    return x


def dpmpp_sde(
    model: Denoise,
    x: Tensor,
    sigmas: Tensor,
    run: Run,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r: float = 0.5,
    noise_on_cpu: bool = True,
) -> Tensor:
    """Second order from a stop at the part `r` of each step, with Brownian noise."""
    if len(sigmas) <= 1:
        return x
    noise = run.noise.brownian(x, sigmas, on_cpu=noise_on_cpu)
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        if following == 0:
            x = denoised
            continue
        time, next_time = log_snr(sigma), log_snr(following)
        stop = level(time + (next_time - time) * r)
        factor = 1 / (2 * r)
        down, up = ancestral(sigma, stop, eta)
        down_time = log_snr(down)
        halfway = (level(down_time) / sigma) * x - (time - down_time).expm1() * denoised
        halfway = halfway + noise(sigma, stop) * s_noise * up
        denoised_halfway = model(halfway, stop)
        down, up = ancestral(sigma, following, eta)
        down_time = log_snr(down)
        direction = (1 - factor) * denoised + factor * denoised_halfway
        x = (level(down_time) / sigma) * x - (time - down_time).expm1() * direction
        x = x + noise(sigma, following) * s_noise * up
    return x
