"""Lists of choices that interfaces name (`{"names": "samplers"}`), as data that needs no torch."""

from __future__ import annotations

SAMPLERS: tuple[str, ...] = ("euler", "euler_ancestral", "dpmpp_sde", "dpmpp_2m", "ddim")

SCHEDULERS: tuple[str, ...] = (
    "simple",
    "sgm_uniform",
    "karras",
    "exponential",
    "ddim_uniform",
    "beta",
    "normal",
    "linear_quadratic",
    "kl_optimal",
)

CHOICES: dict[str, tuple[str, ...]] = {"samplers": SAMPLERS, "schedulers": SCHEDULERS}
"""Name of a list -> its choices, in the order in which ComfyUI shows them."""
