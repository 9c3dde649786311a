"""DPM-Solver (Lu et al. 2022a): crowsonkb/k-diffusion `DPMSolver` (MIT). Time is minus the log of the noise level."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from inglenook.models.sampling.samplers.steps import Denoise, Run, level, log_snr


def dpm_fast(model: Denoise, x: Tensor, sigmas: Tensor, run: Run) -> Tensor:
    """Third-order steps over equal times, as many evaluations as there are steps; ends at the last level above zero."""
    if len(sigmas) <= 1:
        return x
    solver = _Solver(model)
    evaluations = len(sigmas) - 1
    count = evaluations // 3 + 1
    orders = [3] * (count - 2) + [2, 1] if evaluations % 3 == 0 else [3] * (count - 1) + [evaluations % 3]
    times = torch.linspace(float(log_snr(sigmas[0])), float(log_snr(_last_level(sigmas))), count + 1)
    done = 0
    for order, time, following in zip(orders, times[:-1], times[1:], strict=True):
        begin = solver.begin(x, time)
        run.report(min(done, evaluations - 1), begin.denoised)
        x = begin.step(order, following)
        done += order
    return x


def dpm_adaptive(
    model: Denoise, x: Tensor, sigmas: Tensor, run: Run, *, rtol: float = 0.05, atol: float = 0.0078, h: float = 0.05
) -> Tensor:
    """Steps as long as second and third order agree; their number follows from the picture."""
    if len(sigmas) <= 1:
        return x
    solver, pace = _Solver(model), _Pace(h)
    time, end = log_snr(sigmas[0]), log_snr(_last_level(sigmas))
    previous = x
    done = 0
    while time < end - 1e-5:
        following = torch.minimum(end, time + pace.width)
        begin = solver.begin(x, time)
        low, high = begin.step(2, following, r1=1 / 3), begin.step(3, following)
        allowed = torch.maximum(torch.full_like(x, atol), rtol * torch.maximum(low.abs(), previous.abs()))
        error = torch.linalg.norm((low - high) / allowed) / x.numel() ** 0.5
        if pace.accepts(float(error)):
            x, previous, time = high, low, following
            run.report(min(done, len(sigmas) - 2), begin.denoised)
            done += 1
    return x


def _last_level(sigmas: Tensor) -> Tensor:
    return sigmas[-2] if sigmas[-1] == 0 else sigmas[-1]


@dataclass(slots=True)
class _Pace:
    """The step width, led by the error of the last step (an integral controller with a soft limit)."""

    width: float
    order: int = 3
    safety: float = 0.81

    def accepts(self, error: float) -> bool:
        factor = 1 + math.atan((1 / (error + 1e-8)) ** (1 / self.order) - 1)
        self.width *= factor
        return factor >= self.safety


@dataclass(frozen=True, slots=True)
class _Solver:
    model: Denoise

    def begin(self, x: Tensor, time: Tensor) -> _Begin:
        sigma = level(time)
        denoised = self.model(x, sigma)
        return _Begin(self.model, x, time, denoised, (x - denoised) / sigma)


@dataclass(slots=True)
class _Begin:
    """A place from which steps of several orders start; evaluations that they share are made once."""

    model: Denoise
    x: Tensor
    time: Tensor
    denoised: Tensor
    eps: Tensor
    known: dict[float, Tensor] = field(default_factory=dict)

    def step(self, order: int, end: Tensor, r1: float | None = None) -> Tensor:
        width = end - self.time
        base = self.x - level(end) * width.expm1() * self.eps
        if order == 1:
            return base
        if order == 2:
            r1 = 1 / 2 if r1 is None else r1
            return base - level(end) / (2 * r1) * width.expm1() * (self.first(r1, width) - self.eps)
        r1, r2 = 1 / 3, 2 / 3
        first = self.first(r1, width)
        stop = self.time + r2 * width
        halfway = (
            self.x
            - level(stop) * (r2 * width).expm1() * self.eps
            - level(stop) * (r2 / r1) * ((r2 * width).expm1() / (r2 * width) - 1) * (first - self.eps)
        )
        second = (halfway - self.model(halfway, level(stop))) / level(stop)
        return base - level(end) / r2 * (width.expm1() / width - 1) * (second - self.eps)

    def first(self, r1: float, width: Tensor) -> Tensor:
        """The noise seen at the part `r1` of the step."""
        if r1 not in self.known:
            stop = self.time + r1 * width
            halfway = self.x - level(stop) * (r1 * width).expm1() * self.eps
            self.known[r1] = (halfway - self.model(halfway, level(stop))) / level(stop)
        return self.known[r1]
