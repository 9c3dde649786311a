"""UniPC: unified predictor-corrector (Zhao et al. 2023, wl-zhao/UniPC, MIT), on data predictions, multistep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from inglenook.models.sampling.samplers.steps import Denoise, Run, log_snr

_LAST_LEVEL = 0.001
"""Sampling ends here where zero was asked for."""
_ORDER = 3

Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]
Variant = Literal["bh1", "bh2"]


def uni_pc(model: Denoise, x: Tensor, sigmas: Tensor, run: Run, *, variant: Variant = "bh1") -> Tensor:
    """Order up to 3, one evaluation per step."""
    count = len(sigmas) - 1
    levels = sigmas.clone()
    if levels[-1] == 0:
        levels[-1] = _LAST_LEVEL
    order = max(min(_ORDER, count - 1), 1)
    denoised = model(x, levels[0])
    run.report(0, denoised)
    history = [_Point(float(log_snr(levels[0])), denoised)]
    for step in range(1, count + 1):
        sigma, following = levels[step - 1], levels[step]
        jump = _Jump.of(history, log_snr(following), min(order, step, count + 1 - step), variant)
        base = following / sigma * x - jump.first * history[-1].denoised
        x = base - jump.scale * jump.predicted()
        if step == count:
            return x
        denoised = model(x, following)
        run.report(step, denoised)
        x = base - jump.scale * jump.corrected(denoised - history[-1].denoised)
        history = [*history, _Point(float(log_snr(following)), denoised)][-_ORDER:]
    return x


@dataclass(frozen=True, slots=True)
class _Point:
    time: float
    denoised: Tensor


@dataclass(frozen=True, slots=True)
class _Jump:
    """The coefficients of one step (sec. 3.1): `first` and `scale` are phi_1 and B(h)."""

    first: float
    scale: float
    differences: list[Tensor]
    matrix: Array
    right: Array

    @classmethod
    def of(cls, history: list[_Point], end: Tensor, order: int, variant: Variant) -> _Jump:
        newest = history[-1]
        width = float(end) - newest.time
        nodes = [(point.time - newest.time) / width for point in history[-2 : -order - 1 : -1]]
        differences = [
            (point.denoised - newest.denoised) / node
            for point, node in zip(history[-2 : -order - 1 : -1], nodes, strict=True)
        ]
        first = float(np.expm1(-width))
        scale = -width if variant == "bh1" else first
        return cls(
            first, scale, differences, np.vander([*nodes, 1.0], order, increasing=True).T, _right(width, order, scale)
        )

    def predicted(self) -> Tensor | float:
        """The sum of the differences that predicts."""
        match len(self.differences):
            case 0:
                return 0.0
            case 1:
                return 0.5 * self.differences[0]
            case _:
                return _sum(np.linalg.solve(self.matrix[:-1, :-1], self.right[:-1]), self.differences)

    def corrected(self, change: Tensor) -> Tensor:
        """The sum that corrects, with the `change` of the prediction in this step."""
        if not self.differences:
            return 0.5 * change
        return _sum(np.linalg.solve(self.matrix, self.right), [*self.differences, change])


def _right(width: float, order: int, scale: float) -> Array:
    values = []
    factorial = 1.0
    phi = float(np.expm1(-width)) / -width - 1
    for number in range(1, order + 1):
        values.append(phi * factorial / scale)
        factorial *= number + 1
        phi = phi / -width - 1 / factorial
    return np.array(values)


def _sum(weights: Array, parts: list[Tensor]) -> Tensor:
    total = torch.zeros_like(parts[0])
    for weight, part in zip(weights, parts, strict=True):
        total = total + float(weight) * part
    return total
