"""Noise: drawn before sampling, and in each step of a stochastic sampler.

Everything follows from the seed. The first noise is drawn on the CPU, so that pictures are the same on every device;
noise inside a sampler comes from a generator on the latent's device, or from a Brownian tree on the CPU (Li et al.
2020, torchsde), whose noise of an interval does not depend on the steps inside it. As crowsonkb/k-diffusion
`sampling.py` (MIT).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torchsde
from torch import Tensor

NoiseSampler = Callable[[Tensor, Tensor], Tensor]
"""(sigma, next sigma) -> noise like the latent, variance 1."""

CPU_SEED_OFFSET = 0
"""Added to the seed of a sampler's noise on the CPU: 1 in later ComfyUI, 0 in 0.3.64, which made the references."""


def initial_noise(latent: Tensor, seed: int, batch_index: Sequence[int] | None = None) -> Tensor:
    """The noise of a seed, like `latent`, on the CPU.

    batch_index: which item of the seed's sequence each item of the batch gets; without it one draw makes the batch.
    """
    generator = torch.Generator().manual_seed(seed)
    if batch_index is None:
        return torch.randn(latent.shape, dtype=latent.dtype, layout=latent.layout, generator=generator)
    drawn = [
        torch.randn((1, *latent.shape[1:]), dtype=latent.dtype, layout=latent.layout, generator=generator)
        for _ in range(max(batch_index) + 1)
    ]
    return torch.cat([drawn[index] for index in batch_index])


@dataclass(frozen=True, slots=True)
class NoiseSource:
    """Where a sampler's own noise comes from."""

    seed: int

    def white(self, x: Tensor) -> NoiseSampler:
        """Independent noise in each step, drawn on the device of `x`."""
        offset = CPU_SEED_OFFSET if x.device.type == "cpu" else 0
        generator = torch.Generator(x.device).manual_seed((self.seed + offset) % 2**64)
        return lambda _sigma, _next: torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)

    def brownian(self, x: Tensor, sigmas: Tensor, *, on_cpu: bool = True) -> NoiseSampler:
        """Increments of a Brownian motion over the noise levels `sigmas`; on_cpu: the same on every device."""
        place = torch.device("cpu") if on_cpu else x.device
        low, high = sigmas[sigmas > 0].min().to(place), sigmas.max().to(place)
        tree = torchsde.BrownianTree(low, torch.zeros_like(x, device=place), high, entropy=self.seed)

        def sample(sigma: Tensor, following: Tensor) -> Tensor:
            begin, end = sorted((sigma.to(place), following.to(place)), key=float)
            sign = 1 if float(sigma) < float(following) else -1
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the tree rounds its ends, so that the first level may lie outside
                increment: Tensor = tree(begin, end).to(x.device) * sign
            return increment / (following - sigma).abs().sqrt()

        return sample
