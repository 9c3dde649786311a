"""SEEDS: exponential SDE solvers with two and three evaluations per step (Gonzalez et al. 2023, arXiv 2305.14267)."""

from __future__ import annotations

import itertools

from torch import Tensor

from inglenook.models.sampling.samplers.steps import Denoise, Run, level, log_snr, steps


def seeds_2(
    model: Denoise, x: Tensor, sigmas: Tensor, run: Run, *, eta: float = 1.0, s_noise: float = 1.0, r: float = 0.5
) -> Tensor:
    """One stop inside each step."""
    noise = run.noise.white(x)
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        if following == 0:
            x = denoised
            continue
        width = log_snr(following) - log_snr(sigma)
        reach = width * (eta + 1)
        stop = level(log_snr(sigma) + r * width)
        factor = 1 / (2 * r)
        part_1, part_2 = _noise_parts(width * eta, (r,))
        noise_1, noise_2 = noise(sigma, stop) * s_noise, noise(stop, following) * s_noise
        halfway = stop / sigma * (-r * width * eta).exp() * x - (-r * reach).expm1() * denoised
        halfway = halfway + stop * part_1 * noise_1
        direction = (1 - factor) * denoised + factor * model(halfway, stop)
        x = following / sigma * (-width * eta).exp() * x - (-reach).expm1() * direction
        x = x + following * (part_2 * noise_1 + part_1 * noise_2)
    return x


def seeds_3(
    model: Denoise,
    x: Tensor,
    sigmas: Tensor,
    run: Run,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r_1: float = 1 / 3,
    r_2: float = 2 / 3,
) -> Tensor:
    """Two stops inside each step."""
    noise = run.noise.white(x)
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        if following == 0:
            x = denoised
            continue
        width = log_snr(following) - log_snr(sigma)
        reach = width * (eta + 1)
        stop_1, stop_2 = level(log_snr(sigma) + r_1 * width), level(log_snr(sigma) + r_2 * width)
        part_1, part_2, part_3 = _noise_parts(width * eta, (r_1, r_2))
        noise_1, noise_2 = noise(sigma, stop_1) * s_noise, noise(stop_1, stop_2) * s_noise
        noise_3 = noise(stop_2, following) * s_noise
        first = stop_1 / sigma * (-r_1 * width * eta).exp() * x - (-r_1 * reach).expm1() * denoised
        first = first + stop_1 * part_1 * noise_1
        change = model(first, stop_1) - denoised
        second = stop_2 / sigma * (-r_2 * width * eta).exp() * x - (-r_2 * reach).expm1() * denoised
        second = second + (r_2 / r_1) * ((-r_2 * reach).expm1() / (r_2 * reach) + 1) * change
        second = second + stop_2 * (part_2 * noise_1 + part_1 * noise_2)
        change = model(second, stop_2) - denoised
        x = following / sigma * (-width * eta).exp() * x - (-reach).expm1() * denoised
        x = x + (1 / r_2) * ((-reach).expm1() / reach + 1) * change
        x = x + following * (part_3 * noise_1 + part_2 * noise_2 + part_1 * noise_3)
    return x


def _noise_parts(width: Tensor, stops: tuple[float, ...]) -> list[Tensor]:
    """Deviations of the noise of each interval between the stops, as seen at the end of the last one."""
    ends = (0.0, *stops, 1.0)
    return [
        ((-2 * begin * width).expm1() - (-2 * end * width).expm1()).sqrt() for begin, end in itertools.pairwise(ends)
    ]
