"""CFG++ (Chung et al. 2024): the step starts from the guided prediction, its direction is the negative prompt's alone.

The forms for DPM-Solver++ are the same idea put into crowsonkb/k-diffusion `sample_dpmpp_2m` and `_2s_ancestral` (MIT).
"""

from __future__ import annotations

from torch import Tensor

from inglenook.models.sampling.samplers.steps import Denoise, Run, ancestral, level, log_snr, slope, steps


def euler_cfg_pp(model: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """Chung et al. 2024, algorithm 2."""
    return euler_ancestral_cfg_pp(model, x, sigmas, run, eta=0.0)


def euler_ancestral_cfg_pp(
    model: Denoise, x: Tensor, sigmas: Tensor, run: Run, *, eta: float = 1.0, s_noise: float = 1.0
) -> Tensor:
    """The same, too far down, then noise."""
    noise = run.noise.white(x)
    for step, sigma, following in steps(sigmas):
        denoised, uncond = model.with_uncond(x, sigma)
        run.report(step, denoised)
        if following == 0:
            x = denoised
            continue
        down, up = ancestral(sigma, following, eta)
        x = denoised + slope(x, sigma, uncond) * down
        if eta:
            x = x + noise(sigma, following) * s_noise * up
    return x


def dpmpp_2m_cfg_pp(model: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """DPM-Solver++ 2M with the direction of the negative prompt."""
    previous: Tensor | None = None
    for step, sigma, following in steps(sigmas):
        denoised, uncond = model.with_uncond(x, sigma)
        run.report(step, denoised)
        width = log_snr(following) - log_snr(sigma)
        mixed = -(-width).exp() * uncond
        if previous is not None and following != 0:
            ratio = (log_snr(sigma) - log_snr(sigmas[step - 1])) / width
            mixed = mixed - (-width).expm1() * (1 / (2 * ratio)) * (denoised - previous)
        x = denoised + mixed + (-width).exp() * x
        previous = uncond
    return x


def dpmpp_2s_ancestral_cfg_pp(
    model: Denoise, x: Tensor, sigmas: Tensor, run: Run, *, eta: float = 1.0, s_noise: float = 1.0, r: float = 0.5
) -> Tensor:
    """DPM-Solver++ 2S with the direction of the negative prompt, too far down, then noise."""
    noise = run.noise.white(x)
    for step, sigma, following in steps(sigmas):
        denoised, uncond = model.with_uncond(x, sigma)
        run.report(step, denoised)
        down, up = ancestral(sigma, following, eta)
        if down == 0:
            x = denoised
            continue
        time, next_time = log_snr(sigma), log_snr(down)
        width = next_time - time
        stop = time + r * width
        halfway = (level(stop) / level(time)) * (x + (denoised - uncond)) - (-width * r).expm1() * denoised
        denoised_halfway, uncond = model.with_uncond(halfway, level(stop))
        x = (level(next_time) / level(time)) * (x + (denoised - uncond)) - (-width).expm1() * denoised_halfway
        x = x + noise(sigma, following) * s_noise * up
    return x
