"""`comfy.latent_formats`: how latents look. Formats of families that inglenook does not have are names alone."""

from __future__ import annotations

from inglenook.models.families.family import LatentFormat
from inglenook.models.families.sd import LATENT_RGB, LATENT_SCALE

_CHANNELS = 4


class _Sd15Type(type):
    """Lets `SD15()` make a format, and that of every Stable Diffusion 1.x model be an instance of `SD15`."""

    def __call__(cls, scale_factor: float = LATENT_SCALE) -> LatentFormat:
        return LatentFormat(_CHANNELS, scale_factor, LATENT_RGB)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, LatentFormat) and (instance.channels, instance.scale) == (_CHANNELS, LATENT_SCALE)


class SD15(metaclass=_Sd15Type):
    """The latents of Stable Diffusion 1.x, 4 channels."""
