"""Samplers on a problem whose answer is known: Gaussian data, for which the best denoiser is a straight line."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from inglenook.models.sampling.noise import NoiseSource
from inglenook.models.sampling.prediction import linear_prediction
from inglenook.models.sampling.samplers import SAMPLERS, Run
from inglenook.models.sampling.schedules import karras_sigmas

MEAN, DEVIATION = 0.3, 0.8
TOP = 14.6
X = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0)) * (TOP**2 + DEVIATION**2) ** 0.5 + MEAN
EXACT = MEAN + (X - MEAN) * DEVIATION / (TOP**2 + DEVIATION**2) ** 0.5
"""Where the probability flow leads from X."""
SIGMAS = karras_sigmas(30, 0.03, TOP)
STOCHASTIC = {
    "euler_ancestral", "euler_ancestral_cfg_pp", "dpm_2_ancestral", "dpmpp_2s_ancestral", "dpmpp_2s_ancestral_cfg_pp",
    "dpmpp_sde", "dpmpp_sde_gpu", "dpmpp_2m_sde", "dpmpp_2m_sde_gpu", "dpmpp_2m_sde_heun", "dpmpp_2m_sde_heun_gpu",
    "dpmpp_3m_sde", "dpmpp_3m_sde_gpu", "ddpm", "lcm", "res_multistep_ancestral", "res_multistep_ancestral_cfg_pp",
    "er_sde", "seeds_2", "seeds_3", "sa_solver", "sa_solver_pece",
}  # fmt: skip
ROUGH = {
    "euler", "euler_cfg_pp", "ddim", "gradient_estimation", "gradient_estimation_cfg_pp", "heunpp2", "dpm_adaptive",
    "euler_ancestral", "euler_ancestral_cfg_pp", "ddpm", "dpmpp_2s_ancestral_cfg_pp",
}  # fmt: skip
"""First order, or content with large errors."""
FEW = karras_sigmas(6, 0.03, TOP)


class Gaussian:
    """The best denoiser; the negative prompt says the same. Counts its evaluations."""

    calls = 0

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        self.calls += 1
        return MEAN + (x - MEAN) * DEVIATION**2 / (DEVIATION**2 + sigma**2)

    def with_uncond(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        return (self(x, sigma),) * 2


def run(
    name: str, sigmas: Tensor = SIGMAS, seed: int = 1, report: Callable[[int, Tensor], None] | None = None
) -> Tensor:
    at_percent = linear_prediction("eps").table.at_percent
    watch = report or (lambda step, denoised: None)
    return SAMPLERS[name].function(Gaussian(), X, sigmas, Run(NoiseSource(seed), at_percent, watch))


@pytest.mark.parametrize("name", sorted(SAMPLERS.keys() - STOCHASTIC))
def test_deterministic_samplers_follow_the_probability_flow(name):
    error = float((run(name) - EXACT).abs().max())
    assert error < (0.25 if name in ROUGH else 0.03), error


@pytest.mark.parametrize("name", sorted(STOCHASTIC - {"lcm"}))
def test_stochastic_samplers_arrive_at_the_distribution(name):
    result = run(name)
    assert abs(float(result.mean()) - MEAN) < 0.05
    assert abs(float(result.std()) / DEVIATION - 1) < (0.2 if name in ROUGH else 0.05)


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_seed_decides_what_chance_decides(name):
    first, again, other = (run(name, FEW, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert torch.equal(first, other) != (name in STOCHASTIC)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_steps_end_in_numbers(name, count):
    sigmas = karras_sigmas(count, 0.03, TOP)
    assert run(name, sigmas).isfinite().all()


@pytest.mark.parametrize("name", SAMPLERS)
def test_runs_that_leave_noise_over_end_in_numbers(name):
    assert run(name, FEW[:4]).isfinite().all()


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_step_is_reported_in_order(name):
    seen: list[int] = []
    run(name, FEW, report=lambda step, denoised: seen.append(step))
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[-1] < len(FEW) - 1
    if not name.startswith("dpm_"):
        assert seen == [*range(len(FEW) - 1)]


@pytest.mark.parametrize(
    "name", [name for name in SAMPLERS if name.endswith("_cfg_pp") and name != "dpmpp_2s_ancestral_cfg_pp"]
)
def test_cfg_pp_is_the_plain_sampler_where_the_prompts_agree(name):
    torch.testing.assert_close(run(name), run(name.removesuffix("_cfg_pp")), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "per_step"), [("euler", 1), ("dpmpp_2m", 1), ("heun", 2), ("dpmpp_sde", 2), ("seeds_3", 3), ("uni_pc", 1)]
)
def test_evaluations_per_step(name, per_step):
    model = Gaussian()
    at_percent = linear_prediction("eps").table.at_percent
    SAMPLERS[name].function(model, X, SIGMAS, Run(NoiseSource(1), at_percent, lambda step, denoised: None))
    steps = len(SIGMAS) - 1
    assert model.calls == (steps if name == "uni_pc" else steps * per_step - (per_step - 1))


def test_options_of_a_sampler_take_its_chance_away():
    at_percent = linear_prediction("eps").table.at_percent
    plain = partial(SAMPLERS["euler_ancestral"].function, eta=0.0)
    result = plain(Gaussian(), X, SIGMAS, Run(NoiseSource(1), at_percent, lambda step, denoised: None))
    torch.testing.assert_close(result, run("euler"), rtol=1e-4, atol=1e-4)
