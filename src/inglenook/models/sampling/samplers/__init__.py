"""The samplers by ComfyUI's names, in its order. A sampler is a function that knows no model (`steps`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from inglenook.errors import NodeError
from inglenook.models.sampling.samplers.cfg_pp import (
    dpmpp_2m_cfg_pp,
    dpmpp_2s_ancestral_cfg_pp,
    euler_ancestral_cfg_pp,
    euler_cfg_pp,
)
from inglenook.models.sampling.samplers.dpm_solver import dpm_adaptive, dpm_fast
from inglenook.models.sampling.samplers.dpmpp import (
    dpmpp_2m,
    dpmpp_2m_sde,
    dpmpp_2s_ancestral,
    dpmpp_3m_sde,
    dpmpp_sde,
)
from inglenook.models.sampling.samplers.er_sde import er_sde
from inglenook.models.sampling.samplers.euler import euler, euler_ancestral, lcm
from inglenook.models.sampling.samplers.gradient_estimation import gradient_estimation
from inglenook.models.sampling.samplers.multistep import deis, ipndm, ipndm_v, lms
from inglenook.models.sampling.samplers.res_multistep import res_multistep
from inglenook.models.sampling.samplers.sa_solver import sa_solver
from inglenook.models.sampling.samplers.second_order import dpm_2, dpm_2_ancestral, heun, heunpp2
from inglenook.models.sampling.samplers.seeds import seeds_2, seeds_3
from inglenook.models.sampling.samplers.steps import Denoise, Run, SamplerFunction
from inglenook.models.sampling.samplers.uni_pc import uni_pc

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
    "euler_cfg_pp": euler_cfg_pp,
    "euler_ancestral": euler_ancestral,
    "euler_ancestral_cfg_pp": euler_ancestral_cfg_pp,
    "heun": heun,
    "heunpp2": heunpp2,
    "dpm_2": dpm_2,
    "dpm_2_ancestral": dpm_2_ancestral,
    "lms": lms,
    "dpm_fast": dpm_fast,
    "dpm_adaptive": dpm_adaptive,
    "dpmpp_2s_ancestral": dpmpp_2s_ancestral,
    "dpmpp_2s_ancestral_cfg_pp": dpmpp_2s_ancestral_cfg_pp,
    "dpmpp_sde": dpmpp_sde,
    "dpmpp_sde_gpu": partial(dpmpp_sde, noise_on_cpu=False),
    "dpmpp_2m": dpmpp_2m,
    "dpmpp_2m_cfg_pp": dpmpp_2m_cfg_pp,
    "dpmpp_2m_sde": dpmpp_2m_sde,
    "dpmpp_2m_sde_gpu": partial(dpmpp_2m_sde, noise_on_cpu=False),
    "dpmpp_2m_sde_heun": partial(dpmpp_2m_sde, solver_type="heun"),
    "dpmpp_2m_sde_heun_gpu": partial(dpmpp_2m_sde, solver_type="heun", noise_on_cpu=False),
    "dpmpp_3m_sde": dpmpp_3m_sde,
    "dpmpp_3m_sde_gpu": partial(dpmpp_3m_sde, noise_on_cpu=False),
    "ddpm": euler_ancestral,
    "lcm": lcm,
    "ipndm": ipndm,
    "ipndm_v": ipndm_v,
    "deis": deis,
    "res_multistep": res_multistep,
    "res_multistep_cfg_pp": partial(res_multistep, cfg_pp=True),
    "res_multistep_ancestral": partial(res_multistep, eta=1.0),
    "res_multistep_ancestral_cfg_pp": partial(res_multistep, eta=1.0, cfg_pp=True),
    "gradient_estimation": gradient_estimation,
    "gradient_estimation_cfg_pp": partial(gradient_estimation, cfg_pp=True),
    "er_sde": er_sde,
    "seeds_2": seeds_2,
    "seeds_3": seeds_3,
    "sa_solver": sa_solver,
    "sa_solver_pece": partial(sa_solver, pece=True),
    "ddim": euler,
    "uni_pc": uni_pc,
    "uni_pc_bh2": partial(uni_pc, variant="bh2"),
}

SAMPLERS: dict[str, Sampler] = {
    name: Sampler(name, function, fresh_mask_noise=name == "ddim") for name, function in _FUNCTIONS.items()
}


def find_sampler(name: str) -> Sampler:
    """A sampler by its name. Raises NodeError for an unknown one."""
    if name not in SAMPLERS:
        raise NodeError(f"unknown sampler {name!r}; one of {', '.join(SAMPLERS)} is possible")
    return SAMPLERS[name]
