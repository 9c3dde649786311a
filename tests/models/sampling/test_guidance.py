import pytest
import torch

from inglenook.errors import NodeError
from inglenook.models.sampling.guidance import CfgGuider, predict
from inglenook.models.text.encode import encode_prompt

X = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
SIGMA = torch.tensor(2.0)


@pytest.fixture
def red(clip):
    return [[encode_prompt(clip, "red").context, {}]]


@pytest.fixture
def blue(clip):
    return [[encode_prompt(clip, "blue").context, {}]]


def denoise(guider, x=X):
    with torch.inference_mode(), guider.model.loaded() as model:
        return guider.prepare(x.shape).denoise(model, x, SIGMA)


def close(first, second):
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-4)


def test_guidance_goes_beyond_the_positive_prompt(model, red, blue):
    positive, negative = denoise(CfgGuider(model, red)), denoise(CfgGuider(model, blue))
    assert not torch.allclose(positive, negative, atol=1e-3)
    close(denoise(CfgGuider(model, red, blue, 4.0)), negative + 4.0 * (positive - negative))


def test_cfg_1_does_not_evaluate_the_negative_prompt(model, red, blue, monkeypatch):
    evaluated = []
    part_forward = model.part.forward

    def counting(module, x, timestep, context):
        evaluated.append(len(x))
        return part_forward(module, x, timestep, context)

    object.__setattr__(model.part, "forward", counting)
    try:
        denoise(CfgGuider(model, red, blue, 1.0))
        denoise(CfgGuider(model, red, blue, 2.0))
    finally:
        object.__setattr__(model.part, "forward", part_forward)
    assert evaluated == [2, 4]


def test_several_entries_are_averaged_by_strength(model, red, blue):
    first, second = denoise(CfgGuider(model, red)), denoise(CfgGuider(model, blue))
    close(denoise(CfgGuider(model, red + blue)), (first + second) / 2)
    weighted = [[red[0][0], {"strength": 3.0}], *blue]
    close(denoise(CfgGuider(model, weighted)), (3 * first + second) / 4)


def test_prompts_of_different_length_stand_beside_each_other(model, red, clip):
    long = [[encode_prompt(clip, "blue " * 100).context, {}]]
    positive, negative = denoise(CfgGuider(model, red)), denoise(CfgGuider(model, long))
    close(denoise(CfgGuider(model, red, long, 3.0)), negative + 3.0 * (positive - negative))


def test_one_context_serves_a_batch_and_several_are_dealt_out(model, red, blue):
    both = [[torch.cat([red[0][0], blue[0][0]]), {}]]
    result = denoise(CfgGuider(model, both))
    close(result[:1], denoise(CfgGuider(model, red), X[:1]))
    close(result[1:], denoise(CfgGuider(model, blue), X[1:]))


def test_without_negative_prompt_cfg_pp_gets_zeros(model, red):
    guider = CfgGuider(model, red)
    with torch.inference_mode(), model.loaded() as loaded:
        denoised, uncond = guider.prepare(X.shape).denoise_both(loaded, X, SIGMA)
    close(denoised, denoise(guider))
    assert not uncond.any()


def test_empty_conditioning_is_refused(model):
    with pytest.raises(NodeError, match="conditioning is empty"):
        CfgGuider(model, []).prepare(X[:1].shape)


def test_a_full_device_gets_one_condition_at_a_time(model, red, blue, monkeypatch):
    part_forward = model.part.forward

    def small(module, x, timestep, context):
        if len(x) > 2:
            raise torch.OutOfMemoryError
        return part_forward(module, x, timestep, context)

    guider = CfgGuider(model, red, blue, 2.0)
    wanted = denoise(guider)
    object.__setattr__(model.part, "forward", small)
    try:
        close(denoise(guider), wanted)
    finally:
        object.__setattr__(model.part, "forward", part_forward)


def test_other_errors_are_not_hidden(model, red):
    with torch.inference_mode(), model.loaded() as loaded, pytest.raises(RuntimeError):
        predict(loaded, X[:, :, :1, :1].repeat(1, 2, 1, 1), SIGMA, [CfgGuider(model, red).prepare(X.shape).positive])
