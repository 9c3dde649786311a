"""Linear multistep methods: the directions of earlier steps help the next one.

lms: crowsonkb/k-diffusion `sample_lms` (MIT). ipndm, ipndm_v, deis: Zhang & Chen 2023 ("Fast sampling of diffusion
models with exponential integrator"), as in zju-pi/diff-sampler `solvers.py` and `solver_utils.py` (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from inglenook.models.sampling.samplers.steps import Denoise, Run, slope, steps

_ADAMS_BASHFORTH = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))


def lms(model: Denoise, x: Tensor, sigmas: Tensor, run: Run, *, order: int = 4) -> Tensor:
    """Adams-Bashforth over the actual noise levels."""
    levels = sigmas.double().tolist()
    recent: list[Tensor] = []
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        recent = [slope(x, sigma, denoised), *recent][:order]
        if following == 0:
            x = denoised
        else:
            x = _combined(x, _lagrange_integrals(levels[step::-1][: len(recent)], levels[step + 1]), recent)
    return x


def ipndm(model: Denoise, x: Tensor, sigmas: Tensor, run: Run, *, order: int = 4) -> Tensor:
    """Adams-Bashforth with the coefficients of equal steps, whatever the steps are."""
    recent: list[Tensor] = []
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        recent = [slope(x, sigma, denoised), *recent][:order]
        if following == 0:
            x = denoised
        else:
            x = _combined(x, [float(following - sigma) * part for part in _ADAMS_BASHFORTH[len(recent) - 1]], recent)
    return x


def ipndm_v(model: Denoise, x: Tensor, sigmas: Tensor, run: Run, *, order: int = 4) -> Tensor:
    """The same with coefficients for unequal steps."""
    levels = sigmas.double().tolist()
    recent: list[Tensor] = []
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        recent = [slope(x, sigma, denoised), *recent][:order]
        if following == 0:
            x = denoised
        else:
            widths = [levels[number + 1] - levels[number] for number in range(step, step - len(recent), -1)]
            x = _combined(x, [widths[0] * part for part in _unequal_steps(widths)], recent)
    return x


def deis(model: Denoise, x: Tensor, sigmas: Tensor, run: Run, *, order: int = 3) -> Tensor:
    """Polynomials in the time of a variance-preserving process, fitted to the last directions ("tAB-DEIS")."""
    times, beta_first, beta_last = _times(sigmas)
    recent: list[Tensor] = []
    for step, sigma, following in steps(sigmas):
        denoised = model(x, sigma)
        run.report(step, denoised)
        recent = [slope(x, sigma, denoised), *recent][:order]
        if following <= 0 or len(recent) == 1:
            x = x + (following - sigma) * recent[0]
        else:
            nodes = times[[step - number for number in range(len(recent))]]
            x = _combined(x, _deis_coefficients(nodes, times[step + 1], beta_first, beta_last), recent)
    return x


def _combined(x: Tensor, coefficients: Sequence[float], directions: Sequence[Tensor]) -> Tensor:
    for coefficient, direction in zip(coefficients, directions, strict=True):
        x = x + coefficient * direction
    return x


def _lagrange_integrals(nodes: Sequence[float], end: float) -> list[float]:
    """Integrals of the Lagrange polynomials over `nodes`, from the first node to `end`: exact by Gauss's rule."""
    points, weights = np.polynomial.legendre.leggauss(len(nodes))
    half = (end - nodes[0]) / 2
    places = nodes[0] + half * (points + 1)
    integrals = []
    for node in nodes:
        values = np.ones_like(places)
        for other in nodes:
            if other != node:
                values *= (places - other) / (node - other)
        integrals.append(float(half * (weights * values).sum()))
    return integrals


def _unequal_steps(widths: Sequence[float]) -> list[float]:
    """Coefficients of the last directions, newest first; widths: of this step, the one before, and so on."""
    h0 = widths[0]
    if len(widths) == 1:
        return [1.0]
    h1 = widths[1]
    first, second = (2 + h0 / h1) / 2, -(h0 / h1) / 2
    if len(widths) == 2:
        return [first, second]
    h2 = widths[2]
    third = (1 - h0 / (3 * (h0 + h1)) * (h0 * (h0 + h1)) / (h1 * (h1 + h2))) / 2
    if len(widths) == 3:
        return [first + third, second - (1 + h1 / h2) * third, third * h1 / h2]
    h3 = widths[3]
    fourth = (1 - h0 / (3 * (h0 + h1))) / 2 + (1 - h0 / (2 * (h0 + h1))) * h0 / (6 * (h0 + h1 + h2))
    fourth *= (h0 * (h0 + h1) * (h0 + h1 + h2)) / (h1 * (h1 + h2) * (h1 + h2 + h3))
    ratio = h1 * (h1 + h2) / (h2 * (h2 + h3))
    return [
        first + third + fourth,
        second - (1 + h1 / h2) * third - (1 + h1 / h2 + ratio) * fourth,
        third * h1 / h2 + (h1 / h2 + ratio * (1 + h2 / h3)) * fourth,
        -fourth * ratio * h1 / h2,
    ]


def _times(
    sigmas: Tensor, epsilon: float = 1e-3, lowest: float = 0.002, highest: float = 80.0
) -> tuple[Tensor, Tensor, Tensor]:
    """The times at which a variance-preserving process over `lowest` to `highest` has these noise levels; its betas."""
    low, high = ((torch.tensor(level) ** 2 + 1).log() for level in (lowest, highest))
    difference = 2 * (low / epsilon - high) / (epsilon - 1)
    first = high - 0.5 * difference
    times = ((first**2 + 2 * difference * (sigmas**2 + 1).log()).sqrt() - first) / difference
    return times, first, difference + first


def _deis_coefficients(nodes: Tensor, end: Tensor, first: Tensor, last: Tensor, points: int = 10000) -> list[float]:
    """Integrals of the Lagrange polynomials in time over the noise level, by the sum that the reference takes."""
    places = torch.linspace(float(nodes[0]), float(end), points)
    alpha = (-0.5 * places**2 * (last - first) - places * first).exp()
    density = 0.5 * (places * (last - first) + first) / (alpha * (1 - alpha)).sqrt()
    coefficients = []
    for number, node in enumerate(nodes):
        polynomial = torch.ones_like(places)
        for other_number, other in enumerate(nodes):
            if other_number != number:
                polynomial = polynomial * (places - other) / (node - other)
        coefficients.append(float((density * polynomial).sum() * ((end - nodes[0]) / points)))
    return coefficients
