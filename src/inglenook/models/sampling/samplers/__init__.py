"""The samplers by ComfyUI's names. A sampler is a function that knows no model: see `steps.SamplerFunction`."""

from __future__ import annotations

from dataclasses import dataclass, field

from inglenook.errors import NodeError
from inglenook.models.sampling.samplers.dpmpp import dpmpp_2m, dpmpp_sde
from inglenook.models.sampling.samplers.euler import euler, euler_ancestral
from inglenook.models.sampling.samplers.steps import Denoise, Run, SamplerFunction

__all__ = ["SAMPLERS", "Denoise", "Run", "Sampler", "SamplerFunction", "find_sampler"]


@dataclass(frozen=True, slots=True)
class Sampler:
    """A sampler as nodes pass it around."""

    name: str
    function: SamplerFunction = field(repr=False)
    fresh_mask_noise: bool = False
    """Where a mask keeps a part of the picture, that part gets noise of its own instead of the first noise (DDIM)."""


_FUNCTIONS: dict[str, SamplerFunction] = {
    "euler": euler,
    "euler_ancestral": euler_ancestral,
    "dpmpp_sde": dpmpp_sde,
    "dpmpp_2m": dpmpp_2m,
    "ddim": euler,
}

SAMPLERS: dict[str, Sampler] = {
    name: Sampler(name, function, fresh_mask_noise=name == "ddim") for name, function in _FUNCTIONS.items()
}


def find_sampler(name: str) -> Sampler:
    """A sampler by its name. Raises NodeError for an unknown one."""
    if name not in SAMPLERS:
        raise NodeError(f"unknown sampler {name!r}; one of {', '.join(SAMPLERS)} is possible")
    return SAMPLERS[name]
