"""The parts of crowsonkb/k-diffusion (MIT) that packs use to write samplers and schedules, over `models.sampling`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from inglenook.models.sampling.noise import NoiseSource
from inglenook.models.sampling.schedules import exponential_sigmas, karras_sigmas

_Device = torch.device | str


def append_dims(x: Tensor, target_dims: int) -> Tensor:
    """A tensor with dimensions of length 1 at its end, `target_dims` in all. Raises ValueError when it has more."""
    if x.ndim > target_dims:
        raise ValueError(f"input has {x.ndim} dims but target_dims is {target_dims}, which is less")
    return x.reshape(*x.shape, *[1] * (target_dims - x.ndim))


def append_zero(x: Tensor) -> Tensor:
    """Noise levels with a last one of 0."""
    return torch.cat([x, x.new_zeros(1)])


def get_sigmas_karras(n: int, sigma_min: float, sigma_max: float, rho: float = 7.0, device: _Device = "cpu") -> Tensor:
    """The noise levels of n steps, Karras et al. 2022, eq. 5."""
    return karras_sigmas(n, float(sigma_min), float(sigma_max), rho).to(device)


def get_sigmas_exponential(n: int, sigma_min: float, sigma_max: float, device: _Device = "cpu") -> Tensor:
    """Equal distances between logarithms."""
    return exponential_sigmas(n, float(sigma_min), float(sigma_max)).to(device)


def get_sigmas_polyexponential(
    n: int, sigma_min: float, sigma_max: float, rho: float = 1.0, device: _Device = "cpu"
) -> Tensor:
    """Logarithms along a polynomial of degree rho."""
    low, high = torch.tensor(float(sigma_min)).log(), torch.tensor(float(sigma_max)).log()
    return append_zero(((torch.linspace(1, 0, n) ** rho) * (high - low) + low).exp()).to(device)


def default_noise_sampler(x: Tensor, seed: int | None = None) -> Callable[[Tensor, Tensor], Tensor]:
    """Independent noise in each step; without a seed from torch's generator."""
    if seed is not None:
        return NoiseSource(seed).white(x)
    return lambda sigma, sigma_next: torch.randn_like(x)


class BrownianTreeNoiseSampler:
    """Noise of an interval between two noise levels that does not depend on the steps inside it."""

    def __init__(
        self,
        x: Tensor,
        sigma_min: Tensor | float,
        sigma_max: Tensor | float,
        seed: int | None = None,
        transform: Callable[[Tensor], Tensor] = lambda x: x,
        cpu: bool = False,
    ) -> None:
        self.transform = transform
        ends = [transform(torch.as_tensor(sigma, dtype=torch.float32)) for sigma in (sigma_min, sigma_max)]
        drawn = int(torch.randint(0, 2**63 - 1, ())) if seed is None else seed
        self._sample = NoiseSource(drawn).brownian(x, torch.stack(ends), on_cpu=cpu)

    def __call__(self, sigma: Tensor | float, sigma_next: Tensor | float) -> Tensor:
        begin, end = (self.transform(torch.as_tensor(value)) for value in (sigma, sigma_next))
        return self._sample(begin, end)


class FolderOfImages(Dataset[tuple[Any]]):
    """The pictures below a folder, in the order of their names, each as a tuple of one."""

    IMG_EXTENSIONS = {".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"}  # noqa: RUF012 - a fact

    def __init__(self, root: str | Path, transform: Callable[[Image.Image], Any] | None = None) -> None:
        super().__init__()
        self.root = Path(root)
        self.transform = transform
        self.paths = sorted(path for path in self.root.rglob("*") if path.suffix.lower() in self.IMG_EXTENSIONS)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: int) -> tuple[Any]:
        with Image.open(self.paths[key]) as file:
            picture = file.convert("RGB")
        return (picture if self.transform is None else self.transform(picture),)
