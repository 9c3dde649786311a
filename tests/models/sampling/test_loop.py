import pytest
import torch

from inglenook.engine.context import InterruptProcessing, NodeContext, running
from inglenook.engine.events import NodeRef
from inglenook.errors import NodeError
from inglenook.models.sampling.guidance import CfgGuider
from inglenook.models.sampling.loop import sample
from inglenook.models.sampling.noise import initial_noise
from inglenook.models.sampling.samplers import find_sampler
from inglenook.models.sampling.schedules import sampler_sigmas
from inglenook.models.text.encode import encode_prompt

EMPTY = torch.zeros(1, 4, 8, 8)
PICTURE = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(9)) * 4


@pytest.fixture
def guider(model, clip):
    positive, negative = encode_prompt(clip, "a red circle"), encode_prompt(clip, "")
    return CfgGuider(model, [[positive.context, {}]], [[negative.context, {}]], 3.0)


def run(guider, latent=EMPTY, *, name="euler", steps=3, denoise=1.0, seed=1, **options):
    sigmas = sampler_sigmas("normal", name, guider.model.prediction.table, steps, denoise)
    return sample(guider, find_sampler(name), sigmas, initial_noise(latent, seed), latent, seed=seed, **options)


def test_the_seed_decides_everything(guider):
    first, again, other = run(guider, seed=1).latent, run(guider, seed=1).latent, run(guider, seed=2).latent
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert first.dtype == torch.float32
    assert not first.is_inference()


def test_every_step_is_told_with_its_clean_latent(guider):
    reports = []
    result = run(guider, watch=reports.append)
    assert [(report.step, report.total) for report in reports] == [(0, 3), (1, 3), (2, 3)]
    torch.testing.assert_close(reports[-1].denoised / 0.18215, result.latent, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(result.denoised, result.latent, rtol=1e-4, atol=1e-4)


def test_less_denoising_stays_nearer_to_the_picture(guider):
    little, much = run(guider, PICTURE, denoise=0.1).latent, run(guider, PICTURE, denoise=0.9).latent
    assert (little - PICTURE).norm() < 0.5 * (much - PICTURE).norm()


def test_denoise_0_gives_the_picture_back(guider):
    assert torch.equal(run(guider, PICTURE, denoise=0.0).latent, PICTURE)


@pytest.mark.parametrize("name", ["euler", "ddim", "euler_ancestral", "dpmpp_2m"])
def test_a_mask_keeps_what_it_does_not_cover(guider, name):
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 1.0
    result = run(guider, PICTURE, name=name, mask=mask).latent
    torch.testing.assert_close(result[..., 5:], PICTURE[..., 5:], rtol=1e-3, atol=1e-3)
    assert not torch.allclose(result[..., :3], PICTURE[..., :3], atol=0.1)


def test_a_mask_of_nothing_and_of_everything(guider):
    nothing = run(guider, PICTURE, mask=torch.zeros(1, 8, 8)).latent
    torch.testing.assert_close(nothing, PICTURE, rtol=1e-3, atol=1e-3)
    everything = run(guider, PICTURE, mask=torch.ones(1, 8, 8)).latent
    torch.testing.assert_close(everything, run(guider, PICTURE).latent)


def test_items_of_a_batch_are_sampled_on_their_own(guider):
    latent = torch.zeros(2, 4, 8, 8)
    both = run(guider, latent).latent
    noise = initial_noise(latent, 1)
    sigmas = sampler_sigmas("normal", "euler", guider.model.prediction.table, 3)
    second = sample(guider, find_sampler("euler"), sigmas, noise[1:], EMPTY, seed=1).latent
    torch.testing.assert_close(both[1:], second, rtol=1e-3, atol=1e-3)


def test_two_halves_make_a_whole(guider):
    sigmas = sampler_sigmas("normal", "euler", guider.model.prediction.table, 4)
    sampler, noise = find_sampler("euler"), initial_noise(EMPTY, 1)
    half = sample(guider, sampler, sigmas[:3], noise, EMPTY, seed=1).latent
    rest = sample(guider, sampler, sigmas[2:], torch.zeros_like(EMPTY), half, seed=1).latent
    whole = sample(guider, sampler, sigmas, noise, EMPTY, seed=1)
    torch.testing.assert_close(rest, whole.latent, rtol=1e-3, atol=1e-3)


def test_a_run_can_be_stopped(guider):
    steps = []
    context = NodeContext("job", NodeRef("1", "1", None, "1"), lambda event: None, lambda: len(steps) >= 2)
    with running(context), pytest.raises(InterruptProcessing):
        run(guider, steps=10, watch=steps.append)
    assert len(steps) == 2


def test_a_latent_of_another_model_is_refused(guider):
    with pytest.raises(NodeError, match=r"the latent is \(1, 16, 8, 8\)"):
        run(guider, torch.zeros(1, 16, 8, 8))


def test_noise_levels_that_are_no_numbers_are_refused(guider):
    with pytest.raises(NodeError, match="2 or more"):
        sample(guider, find_sampler("euler"), torch.tensor([float("nan"), 0.0]), EMPTY, EMPTY, seed=1)
