from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from inglenook.models.sampling.noise import NoiseSource, initial_noise

REFERENCE = Path(__file__).parents[2] / "data/reference/noise.safetensors"
SIGMAS = torch.tensor([10.0, 5.0, 2.0, 1.0, 0.0])
X = torch.zeros(1, 4, 8, 8)


def reference():
    with safe_open(REFERENCE, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


@pytest.mark.parametrize("key", sorted(reference()))
def test_first_noise_equals_the_reference(key):
    wanted = reference()[key]
    seed = int(next(part for part in key.replace("_", ".").split(".") if part.startswith("seed")).removeprefix("seed"))
    assert torch.equal(initial_noise(torch.zeros_like(wanted), seed), wanted)


def test_a_batch_index_picks_items_of_the_seeds_sequence():
    one_by_one = initial_noise(torch.zeros(3, 4, 8, 8), 7, [0, 1, 2])
    assert torch.equal(initial_noise(torch.zeros(1, 4, 8, 8), 7), one_by_one[:1])
    assert torch.equal(initial_noise(torch.zeros(2, 4, 8, 8), 7, [2, 0]), one_by_one[[2, 0]])


def test_white_noise_follows_from_the_seed():
    first, again, other = (NoiseSource(seed).white(X) for seed in (1, 1, 2))
    draws = [sampler(SIGMAS[0], SIGMAS[1]) for sampler in (first, again, other)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[0], first(SIGMAS[1], SIGMAS[2]))


def test_brownian_noise_of_an_interval_is_that_of_its_parts():
    sample = NoiseSource(3).brownian(X, SIGMAS)
    parts = sample(SIGMAS[0], SIGMAS[1]) * 5**0.5 + sample(SIGMAS[1], SIGMAS[2]) * 3**0.5
    whole = NoiseSource(3).brownian(X, SIGMAS)(SIGMAS[0], SIGMAS[2]) * 8**0.5
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-4)


def test_brownian_noise_has_variance_one():
    sample = NoiseSource(5).brownian(torch.zeros(1, 4, 64, 64), SIGMAS)
    assert abs(float(sample(SIGMAS[1], SIGMAS[3]).std()) - 1) < 0.03
