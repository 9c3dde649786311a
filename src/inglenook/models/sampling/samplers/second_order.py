"""Two and more evaluations per step: crowsonkb/k-diffusion `sample_heun`, `sample_dpm_2*` (MIT), and Heun++."""

from __future__ import annotations

from torch import Tensor

from inglenook.models.sampling.samplers.steps import Denoise, Run, ancestral, slope, steps


def heun(model: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """Karras et al. 2022, algorithm 1."""
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        direction = slope(x, sigma, denoised)
        if following != 0:
            ahead = x + direction * (following - sigma)
            direction = (direction + slope(ahead, following, model(ahead, following))) / 2
        x = x + direction * (following - sigma)
    return x


def heunpp2(model: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """Heun++: directions at up to two levels ahead, by their noise (MIT: Carzit/sd-webui-samplers-scheduler)."""
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        directions = [slope(x, sigma, denoised)]
        ahead, level = x, sigma
        for further in sigmas[step + 1 : step + 3]:
            if further == sigmas[-1]:
                break
            ahead = ahead + directions[-1] * (further - level)
            directions.append(slope(ahead, further, model(ahead, further)))
            level = further
        weights = [float(level / (len(directions) * sigmas[0])) for level in sigmas[step + 1 : step + len(directions)]]
        direction = directions[0] * (1.0 - sum(weights))
        for weight, other in zip(weights, directions[1:], strict=True):
            direction = direction + other * weight
        x = x + direction * (following - sigma)
    return x


def dpm_2(model: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """The midpoint method, its middle halfway between the logarithms (Karras et al. 2022, inspired by DPM-Solver-2)."""
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        x = _through_the_middle(model, x, sigma, following, denoised)
    return x


def dpm_2_ancestral(
    model: Denoise, x: Tensor, sigmas: Tensor, run: Run, *, eta: float = 1.0, s_noise: float = 1.0
) -> Tensor:
    """As `dpm_2`, too far down, then noise."""
    noise = run.noise.white(x)
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        down, up = ancestral(sigma, following, eta)
        x = _through_the_middle(model, x, sigma, down, denoised)
        if down != 0:
            x = x + noise(sigma, following) * s_noise * up
    return x


def _through_the_middle(model: Denoise, x: Tensor, sigma: Tensor, target: Tensor, denoised: Tensor) -> Tensor:
    direction = slope(x, sigma, denoised)
    if target != 0:
        middle = sigma.log().lerp(target.log(), 0.5).exp()
        halfway = x + direction * (middle - sigma)
        direction = slope(halfway, middle, model(halfway, middle))
    return x + direction * (target - sigma)
