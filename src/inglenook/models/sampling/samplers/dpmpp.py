"""DPM-Solver++ (Lu et al. 2022b): crowsonkb/k-diffusion `sample_dpmpp_*` (MIT)."""

from __future__ import annotations

from typing import Literal

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


def dpmpp_2s_ancestral(
    model: Denoise, x: Tensor, sigmas: Tensor, run: Run, *, eta: float = 1.0, s_noise: float = 1.0, r: float = 0.5
) -> Tensor:
    """Second order from a stop inside each step, too far down, then noise."""
    noise = run.noise.white(x)
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        down, up = ancestral(sigma, following, eta)
        if down == 0:
            x = denoised
            continue
        time, next_time = log_snr(sigma), log_snr(down)
        width = next_time - time
        stop = time + r * width
        halfway = (level(stop) / level(time)) * x - (-width * r).expm1() * denoised
        x = (level(next_time) / level(time)) * x - (-width).expm1() * model(halfway, level(stop))
        x = x + noise(sigma, following) * s_noise * up
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


def dpmpp_2m_sde(
    model: Denoise,
    x: Tensor,
    sigmas: Tensor,
    run: Run,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    solver_type: Literal["midpoint", "heun"] = "midpoint",
    noise_on_cpu: bool = True,
) -> Tensor:
    """Second order from two steps' predictions, with Brownian noise."""
    if len(sigmas) <= 1:
        return x
    noise = run.noise.brownian(x, sigmas, on_cpu=noise_on_cpu)
    previous: Tensor | None = None
    last_width: Tensor | None = None
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        if following == 0:
            x = denoised
            continue
        width = log_snr(following) - log_snr(sigma)
        reach = -width - eta * width
        x = following / sigma * (-eta * width).exp() * x + reach.expm1().neg() * denoised
        if previous is not None and last_width is not None:
            change = (denoised - previous) * (width / last_width)
            x = x + (reach.expm1().neg() / reach + 1 if solver_type == "heun" else 0.5 * reach.expm1().neg()) * change
        if eta:
            x = x + noise(sigma, following) * following * (-2 * eta * width).expm1().neg().sqrt() * s_noise
        previous, last_width = denoised, width
    return x


def dpmpp_3m_sde(
    model: Denoise,
    x: Tensor,
    sigmas: Tensor,
    run: Run,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    noise_on_cpu: bool = True,
) -> Tensor:
    """Third order from three steps' predictions, with Brownian noise."""
    if len(sigmas) <= 1:
        return x
    noise = run.noise.brownian(x, sigmas, on_cpu=noise_on_cpu)
    earlier: list[tuple[Tensor, Tensor]] = []
    """Predictions and step widths of the last two steps, newest first."""
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        if following == 0:
            x = denoised
            continue
        width = log_snr(following) - log_snr(sigma)
        reach = width * (eta + 1)
        x = (-reach).exp() * x + (-reach).expm1().neg() * denoised
        second = reach.neg().expm1() / reach + 1
        if len(earlier) == 2:
            (denoised_1, width_1), (denoised_2, width_2) = earlier
            r0, r1 = width_1 / width, width_2 / width
            change_0, change_1 = (denoised - denoised_1) / r0, (denoised_1 - denoised_2) / r1
            bend = (change_0 - change_1) / (r0 + r1)
            x = x + second * (change_0 + bend * r0) - (second / reach - 0.5) * bend
        elif earlier:
            x = x + second * (denoised - earlier[0][0]) / (earlier[0][1] / width)
        if eta:
            x = x + noise(sigma, following) * following * (-2 * width * eta).expm1().neg().sqrt() * s_noise
        earlier = [(denoised, width), *earlier][:2]
    return x
