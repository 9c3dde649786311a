import json
import math
from pathlib import Path

import pytest
import torch

from inglenook.engine import names
from inglenook.errors import NodeError
from inglenook.models.sampling.prediction import linear_prediction
from inglenook.models.sampling.samplers import SAMPLERS, find_sampler
from inglenook.models.sampling.schedules import (
    SCHEDULES,
    exponential_sigmas,
    karras_sigmas,
    part_of,
    sampler_sigmas,
    schedule_sigmas,
    sigmas_for,
)

DATA = Path(__file__).parents[2] / "data/reference"
REFERENCE = json.loads((DATA / "sigmas.json").read_text())
NODES = json.loads((DATA / "sigmas_nodes.json").read_text())
TABLE = linear_prediction("eps").table


CPU = Path("/proc/cpuinfo")
IS_REFERENCE_ARITHMETIC = CPU.exists() and "GenuineIntel" in CPU.read_text()
"""torch's `exp` and `tan` come from MKL, whose last bit depends on the processor's maker; references come from Intel.
ComfyUI on this processor would differ from them in the same way."""


def same(got, wanted):
    """Equal bit for bit, not-a-numbers too; on processors with another `exp`, within one unit in the last place."""
    if IS_REFERENCE_ARITHMETIC:
        return [*map(repr, got)] == [*map(repr, wanted)]
    ours, theirs = torch.tensor(got), torch.tensor(wanted)
    if ours.shape != theirs.shape or not torch.equal(ours.isnan(), theirs.isnan()):
        return False
    apart = (ours.view(torch.int32).long() - theirs.view(torch.int32).long()).abs()
    return bool((apart[~ours.isnan()] <= 1).all())


def test_the_table_of_noise_levels_equals_the_reference():
    assert TABLE.sigmas.tolist() == REFERENCE["sigmas"]
    assert float(TABLE.sigma_min) == REFERENCE["sigma_min"]
    assert float(TABLE.sigma_max) == REFERENCE["sigma_max"]


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_equal_the_reference_bit_for_bit(name):
    for steps, wanted in REFERENCE["schedules"][name].items():
        assert same(schedule_sigmas(name, TABLE, int(steps)).tolist(), wanted), steps


@pytest.mark.parametrize("case", [case for case in NODES["nodes"] if case["node"] == "BasicScheduler"])
def test_parts_of_schedules_equal_the_reference(case):
    inputs = case["inputs"]
    sigmas = sigmas_for(inputs["scheduler"], TABLE, inputs["steps"], inputs["denoise"])
    assert sigmas.tolist() == case["sigmas"][0]


@pytest.mark.parametrize("case", [case for case in NODES["nodes"] if case["node"] == "KarrasScheduler"])
def test_karras_levels_equal_the_reference(case):
    inputs = case["inputs"]
    sigmas = karras_sigmas(inputs["steps"], inputs["sigma_min"], inputs["sigma_max"], inputs["rho"])
    assert sigmas.tolist() == case["sigmas"][0]


@pytest.mark.parametrize("case", [case for case in NODES["nodes"] if case["node"] == "ExponentialScheduler"])
def test_exponential_levels_equal_the_reference(case):
    inputs = case["inputs"]
    sigmas = exponential_sigmas(inputs["steps"], inputs["sigma_min"], inputs["sigma_max"])
    assert sigmas.tolist() == case["sigmas"][0]


@pytest.mark.parametrize("percent", ["0.0", "0.1", "0.25", "0.5", "0.9", "1.0"])
def test_percentages_become_noise_levels_as_in_the_reference(percent):
    wanted = NODES["samplings"]["discrete"]["percent_to_sigma"][percent]
    assert TABLE.at_percent(float(percent)) == wanted


def test_a_share_of_a_schedule_is_its_end():
    whole = schedule_sigmas("karras", TABLE, 20)
    assert torch.equal(sampler_sigmas("karras", "euler", TABLE, 10, 0.5), whole[-11:])
    assert torch.equal(sampler_sigmas("karras", "euler", TABLE, 20, 0.99999), whole)
    assert len(sampler_sigmas("karras", "euler", TABLE, 10, 0.0)) == 0


def test_some_samplers_skip_the_penultimate_level():
    sigmas = sampler_sigmas("normal", "dpm_2", TABLE, 5)
    whole = schedule_sigmas("normal", TABLE, 6)
    assert torch.equal(sigmas, torch.cat([whole[:5], whole[-1:]]))


def test_parts_of_a_run():
    sigmas = torch.tensor([4.0, 3.0, 2.0, 1.0, 0.0])
    assert part_of(sigmas, 0, 2, to_the_end=False).tolist() == [4.0, 3.0, 2.0]
    assert part_of(sigmas, 0, 2, to_the_end=True).tolist() == [4.0, 3.0, 0.0]
    assert part_of(sigmas, 2, 10000, to_the_end=True).tolist() == [2.0, 1.0, 0.0]
    assert part_of(sigmas, 9, 10000, to_the_end=True).tolist() == []
    assert sigmas[2] == 2.0


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(NodeError, match=r"unknown scheduler 'linear'.*karras"):
        schedule_sigmas("linear", TABLE, 5)
    with pytest.raises(NodeError, match=r"unknown sampler 'none'.*euler"):
        find_sampler("none")


def test_what_the_catalog_offers_is_what_works():
    assert tuple(SAMPLERS) == names.SAMPLERS
    assert tuple(SCHEDULES) == names.SCHEDULERS


def test_lcm_knows_every_twentieth_step():
    table = linear_prediction("lcm").table
    assert len(table.sigmas) == 50
    assert int(table.timestep(table.sigma_max)) == 999
    assert int(table.timestep(table.sigma_min)) == 19
    assert math.isclose(float(table.sigma(torch.tensor(999))), float(TABLE.sigma_max), rel_tol=1e-6)


def test_zero_terminal_snr_ends_in_pure_noise_and_keeps_the_first_step():
    table = linear_prediction("v_prediction", zero_terminal=True).table
    assert float(table.sigma_max) > 4000
    assert math.isclose(float(table.sigma_min), float(TABLE.sigma_min), rel_tol=1e-4)
