"""SA-Solver: stochastic Adams methods, predictor and corrector (Xue et al. 2023, arXiv 2309.05019)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from inglenook.models.sampling.samplers.steps import Denoise, Run, log_snr

_STOCHASTIC = (0.2, 0.8)
"""The part of the range, by percentage, in which noise is added."""
_POINTS = 16
"""Points of Gauss's rule: exact to rounding for these integrands."""


def sa_solver(
    model: Denoise,
    x: Tensor,
    sigmas: Tensor,
    run: Run,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    predictor_order: int = 3,
    corrector_order: int = 4,
    pece: bool = False,
) -> Tensor:
    """Order up to 3 and 4. pece: evaluate the corrected latent again, two evaluations per step."""
    white = run.noise.white(x)
    times = log_snr(sigmas).double().tolist()
    highest, lowest = (run.sigma_at_percent(percent) for percent in _STOCHASTIC)
    count = len(sigmas) - 1
    ends_at_zero = float(sigmas[-1]) == 0
    predicted, noise, tau = x, torch.zeros_like(x), 0.0
    recent: list[Tensor] = []
    for step in range(count):
        sigma, following = sigmas[step], sigmas[step + 1]
        denoised = model(predicted, sigma)
        run.report(step, denoised)
        recent = [*recent, denoised][-max(predictor_order, corrector_order) :]
        order = min(predictor_order, len(recent), count - 1 - step if ends_at_zero else predictor_order)
        correct = 0 if step == 0 or (following == 0 and not pece) else min(corrector_order, len(recent))
        correct = min(correct, count - step) if ends_at_zero else correct
        if correct == 0:
            x = predicted
        else:
            x = _adams(x, sigmas, times, recent, step - 1, correct, step, tau) + noise
            if pece:
                denoised = recent[-1] = model(x, sigma)
        if following == 0:
            return denoised
        tau = eta if highest >= float(following) >= lowest else 0.0
        predicted = _adams(x, sigmas, times, recent, step, order, step, tau)
        noise = torch.zeros_like(x)
        if tau > 0 and s_noise > 0:
            width = log_snr(following) - log_snr(sigma)
            spread = following * (-2 * tau**2 * width).expm1().neg().sqrt()
            noise = white(sigma, following) * spread * s_noise
            predicted = predicted + noise
    return predicted


def _adams(
    x: Tensor, sigmas: Tensor, times: list[float], recent: list[Tensor], begin: int, order: int, newest: int, tau: float
) -> Tensor:
    """From level `begin` to the next, with the last `order` predictions, the newest made at level `newest`."""
    weights = _weights(times[newest - order + 1 : newest + 1], times[begin], times[begin + 1], tau)
    width = times[begin + 1] - times[begin]
    result = sigmas[begin + 1] / sigmas[begin] * float(np.exp(-(tau**2) * width)) * x
    for weight, prediction in zip(weights, recent[-order:], strict=True):
        result = result + weight * prediction
    return result


def _weights(nodes: list[float], begin: float, end: float, tau: float) -> list[float]:
    """Integrals of the Lagrange polynomials over `nodes` under the exponential that the SDE has there (eq. 14)."""
    points, gauss = np.polynomial.legendre.leggauss(_POINTS)
    rate = 1 + tau**2
    half = (end - begin) / 2
    places = begin + half * (points + 1)
    density = rate * np.exp(rate * (places - end)) * gauss * half
    weights = []
    for number, node in enumerate(nodes):
        values = np.ones_like(places)
        for other_number, other in enumerate(nodes):
            if other_number != number:
                values *= (places - other) / (node - other)
        weights.append(float((density * values).sum()))
    return weights
