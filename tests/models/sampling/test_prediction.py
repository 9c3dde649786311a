import pytest
import torch

from inglenook.models.sampling.prediction import linear_prediction

SIGMA = torch.tensor([0.5, 3.0])
CLEAN = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(1))
NOISE = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(2))


def levels():
    return SIGMA.view(2, 1, 1, 1)


def right_output(kind):
    """What a perfect network of that kind says about CLEAN + SIGMA * NOISE."""
    root = (levels() ** 2 + 1) ** 0.5
    return {
        "eps": NOISE,
        "x0": CLEAN,
        "img_to_img": CLEAN,
        "v_prediction": (NOISE - levels() * CLEAN) / root,
    }[kind]


@pytest.mark.parametrize("kind", ["eps", "x0", "img_to_img", "v_prediction"])
def test_a_perfect_network_gives_back_the_clean_latent(kind):
    prediction = linear_prediction(kind)
    x = prediction.noisy(NOISE, CLEAN, SIGMA)
    torch.testing.assert_close(prediction.denoised(x, right_output(kind), SIGMA), CLEAN, rtol=1e-4, atol=1e-5)


def test_lcm_trusts_the_network_at_high_noise():
    prediction = linear_prediction("lcm")
    x = prediction.noisy(NOISE, CLEAN, SIGMA)
    torch.testing.assert_close(prediction.denoised(x, NOISE, SIGMA), CLEAN, rtol=1e-2, atol=1e-2)


def test_the_networks_input_has_unit_variance():
    prediction = linear_prediction("eps")
    noise = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    for sigma in (0.1, 1.0, 14.0):
        level = torch.tensor([sigma])
        x = prediction.noisy(noise, torch.randn_like(noise), level)
        assert abs(float(prediction.scaled_input(x, level).std()) - 1) < 0.05


def test_sampling_starts_from_pure_noise_only_at_the_top():
    prediction = linear_prediction("eps")
    assert prediction.starts_from_pure_noise(prediction.table.sigma_max)
    assert prediction.starts_from_pure_noise(torch.tensor(20.0))
    assert not prediction.starts_from_pure_noise(torch.tensor(10.0))
    top = prediction.noisy(torch.ones(1), torch.zeros(1), torch.tensor(3.0), from_pure_noise=True)
    torch.testing.assert_close(top, torch.tensor([10.0]).sqrt())


def test_time_steps_are_the_nearest():
    table = linear_prediction("eps").table
    assert table.timestep(table.sigmas[[0, 500, 999]]).tolist() == [0, 500, 999]
    assert table.timestep(torch.tensor(1e9)) == 999
