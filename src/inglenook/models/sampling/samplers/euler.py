"""Euler's method in its forms: crowsonkb/k-diffusion `sample_euler`, `sample_euler_ancestral`, `sample_lcm` (MIT)."""

from __future__ import annotations

from torch import Tensor

from inglenook.models.sampling.samplers.steps import Denoise, Run, ancestral, slope, steps


def euler(model: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """Karras et al. 2022, algorithm 2, without churn and second order."""
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        x = x + slope(x, sigma, denoised) * (following - sigma)
    return x


def euler_ancestral(
    model: Denoise, x: Tensor, sigmas: Tensor, run: Run, *, eta: float = 1.0, s_noise: float = 1.0
) -> Tensor:
    """Euler steps that go too far down, then add noise. With eta 1 this is DDPM (Ho et al. 2020) in these variables."""
    noise = run.noise.white(x)
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        down, up = ancestral(sigma, following, eta)
        if down == 0:
            x = denoised
        else:
            x = x + slope(x, sigma, denoised) * (down - sigma) + noise(sigma, following) * s_noise * up
    return x


def lcm(model: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """Jump to the clean latent and add fresh noise: multistep consistency sampling (Luo et al. 2023)."""
    noise = run.noise.white(x)
    for step, sigma, following in steps(sigmas):
        x = model(x, sigma)
        run.report(step, x)
        if following > 0:
            x = x + noise(sigma, following) * following
    return x
