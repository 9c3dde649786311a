import io
from typing import Any

import pytest
import torch
from PIL import Image

from inglenook.engine.context import InterruptProcessing, NodeContext, running
from inglenook.engine.events import NodeRef, Progress
from inglenook.errors import ModelError, NodeError

NODE = NodeRef("3", "3", None, "3")


@pytest.fixture
def parts(run, checkpoint):
    """Model, positive and negative conditioning, VAE, and an empty latent."""
    model, clip, vae = run("CheckpointLoaderSimple", ckpt_name=checkpoint)
    (positive,) = run("CLIPTextEncode", text="a red circle", clip=clip)
    (negative,) = run("CLIPTextEncode", text="", clip=clip)
    (latent,) = run("EmptyLatentImage", width=64, height=64, batch_size=1)
    return {"model": model, "positive": positive, "negative": negative, "vae": vae, "latent": latent}


@pytest.fixture
def ksampler(run, parts):
    def ksampler(**changes: Any) -> torch.Tensor:
        inputs = {
            "seed": 1, "steps": 3, "cfg": 4.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
            "model": parts["model"], "positive": parts["positive"], "negative": parts["negative"],
            "latent_image": parts["latent"],
        }  # fmt: skip
        (latent,) = run("KSampler", **{**inputs, **changes})
        return latent["samples"]

    return ksampler


@pytest.fixture
def advanced(run, parts):
    def advanced(**changes: Any) -> dict[str, Any]:
        inputs = {
            "add_noise": "enable", "noise_seed": 1, "steps": 4, "cfg": 4.0, "sampler_name": "euler",
            "scheduler": "normal", "start_at_step": 0, "end_at_step": 10000, "return_with_leftover_noise": "disable",
            "model": parts["model"], "positive": parts["positive"], "negative": parts["negative"],
            "latent_image": parts["latent"],
        }  # fmt: skip
        return run("KSamplerAdvanced", **{**inputs, **changes})[0]

    return advanced


def watch(events: list[Any], *, stop_after: int = 10**9, method: str | None = None) -> NodeContext:
    return NodeContext(
        "job", NODE, events.append, lambda: sum(isinstance(e, Progress) for e in events) >= stop_after, method
    )


def test_text_becomes_a_picture(run, parts, ksampler):
    samples = ksampler()
    (picture,) = run("VAEDecode", samples={"samples": samples}, vae=parts["vae"])
    assert samples.shape == (1, 4, 8, 8)
    assert picture.shape == (1, 64, 64, 3)


def test_seed_prompt_cfg_sampler_and_scheduler_all_matter(ksampler, parts):
    base = ksampler()
    assert torch.equal(ksampler(), base)
    for change in (
        {"seed": 2},
        {"cfg": 2.0},
        {"positive": parts["negative"]},
        {"sampler_name": "dpmpp_2m"},
        {"scheduler": "karras"},
        {"steps": 4},
    ):
        assert not torch.equal(ksampler(**change), base), change


def test_the_largest_seed_works(ksampler):
    for name in ("euler_ancestral", "ddim", "dpmpp_sde"):
        mask = {"samples": torch.ones(1, 4, 8, 8), "noise_mask": torch.ones(1, 1, 8, 8)}
        assert ksampler(seed=2**64 - 1, sampler_name=name, latent_image=mask).isfinite().all()


def test_other_entries_of_a_latent_are_kept(run, parts, ksampler):
    mask = torch.ones(1, 1, 64, 64)
    inputs = {"samples": torch.zeros(1, 4, 8, 8), "noise_mask": mask, "batch_index": [3]}
    (latent,) = run(
        "KSampler", model=parts["model"], seed=1, steps=1, cfg=1.0, sampler_name="euler", scheduler="normal",
        positive=parts["positive"], negative=parts["negative"], latent_image=inputs, denoise=1.0,
    )  # fmt: skip
    assert latent["noise_mask"] is mask
    assert latent["batch_index"] == [3]
    assert inputs["samples"].sum() == 0


def test_batch_index_picks_the_noise(ksampler):
    three = ksampler(latent_image={"samples": torch.zeros(3, 4, 8, 8), "batch_index": [0, 1, 2]})
    third = ksampler(latent_image={"samples": torch.zeros(1, 4, 8, 8), "batch_index": [2]})
    torch.testing.assert_close(three[2:], third, rtol=1e-3, atol=1e-3)


def test_each_step_is_progress_with_a_preview(ksampler):
    events: list[Any] = []
    with running(watch(events)):
        ksampler()
    assert [(event.value, event.total) for event in events] == [(1, 3), (2, 3), (3, 3)]
    for event in events:
        assert event.preview.media_type == "image/jpeg"
        assert Image.open(io.BytesIO(event.preview.data)).size == (512, 512)


def test_a_run_may_do_without_previews(ksampler):
    events: list[Any] = []
    with running(watch(events, method="none")):
        ksampler()
    assert [event.preview for event in events] == [None] * 3


def test_an_interrupted_run_stops(ksampler):
    events: list[Any] = []
    with running(watch(events, stop_after=2)), pytest.raises(InterruptProcessing):
        ksampler(steps=20)
    assert sum(isinstance(event, Progress) for event in events) == 2


def test_advanced_sampler_without_special_wishes_is_the_plain_one(ksampler, advanced):
    assert torch.equal(advanced()["samples"], ksampler(steps=4))


def test_two_advanced_samplers_share_a_run(advanced):
    half = advanced(end_at_step=2, return_with_leftover_noise="enable")
    rest = advanced(latent_image=half, add_noise="disable", start_at_step=2)
    torch.testing.assert_close(rest["samples"], advanced()["samples"], rtol=1e-3, atol=1e-3)


def test_a_start_behind_the_end_leaves_the_latent(advanced):
    latent = {"samples": torch.full((1, 4, 8, 8), 3.0)}
    assert torch.equal(advanced(latent_image=latent, start_at_step=9)["samples"], latent["samples"])


def test_sampling_taken_apart_is_the_same(run, parts, ksampler):
    model, latent = parts["model"], parts["latent"]
    (guider,) = run("CFGGuider", model=model, positive=parts["positive"], negative=parts["negative"], cfg=4.0)
    (sigmas,) = run("BasicScheduler", model=model, scheduler="karras", steps=3, denoise=1.0)
    (sampler,) = run("KSamplerSelect", sampler_name="dpmpp_sde")
    (noise,) = run("RandomNoise", noise_seed=7)
    output, denoised = run(
        "SamplerCustomAdvanced", noise=noise, guider=guider, sampler=sampler, sigmas=sigmas, latent_image=latent
    )
    wanted = ksampler(seed=7, sampler_name="dpmpp_sde", scheduler="karras")
    assert torch.equal(output["samples"], wanted)
    torch.testing.assert_close(denoised["samples"], wanted, rtol=1e-3, atol=1e-3)
    custom, _ = run(
        "SamplerCustom", model=model, add_noise=True, noise_seed=7, cfg=4.0, positive=parts["positive"],
        negative=parts["negative"], sampler=sampler, sigmas=sigmas, latent_image=latent,
    )  # fmt: skip
    assert torch.equal(custom["samples"], wanted)


def test_leftover_noise_is_removed_on_request(run, parts, advanced):
    """The clean latent of a run that stops early comes out of both kinds of nodes."""
    model = parts["model"]
    (sigmas,) = run("BasicScheduler", model=model, scheduler="normal", steps=4, denoise=1.0)
    (sampler,) = run("KSamplerSelect", sampler_name="euler")
    (guider,) = run("CFGGuider", model=model, positive=parts["positive"], negative=parts["negative"], cfg=4.0)
    (noise,) = run("RandomNoise", noise_seed=1)
    output, denoised = run(
        "SamplerCustomAdvanced",
        noise=noise,
        guider=guider,
        sampler=sampler,
        sigmas=sigmas[:3],
        latent_image=parts["latent"],
    )
    noisy, clean = (advanced(end_at_step=2, return_with_leftover_noise=wish) for wish in ("enable", "disable"))
    assert torch.equal(output["samples"], noisy["samples"])
    torch.testing.assert_close(denoised["samples"], clean["samples"], rtol=1e-3, atol=1e-3)
    assert not torch.allclose(noisy["samples"], clean["samples"], atol=0.1)


def test_no_noise_is_no_noise(run, parts):
    (noise,) = run("DisableNoise")
    assert not noise.generate_noise(parts["latent"]).any()
    assert noise.seed == 0


def test_basic_guider_is_guidance_without_a_negative_prompt(run, parts, ksampler):
    (guider,) = run("BasicGuider", model=parts["model"], conditioning=parts["positive"])
    (sigmas,) = run("BasicScheduler", model=parts["model"], scheduler="normal", steps=3, denoise=1.0)
    (sampler,) = run("KSamplerSelect", sampler_name="euler")
    (noise,) = run("RandomNoise", noise_seed=1)
    output, _ = run(
        "SamplerCustomAdvanced",
        noise=noise,
        guider=guider,
        sampler=sampler,
        sigmas=sigmas,
        latent_image=parts["latent"],
    )
    assert torch.equal(output["samples"], ksampler(cfg=1.0))


def test_the_output_of_a_model_can_be_read_in_other_ways(run, parts, ksampler):
    results = [ksampler()]
    for kind in ("v_prediction", "lcm", "x0", "img_to_img"):
        (model,) = run("ModelSamplingDiscrete", model=parts["model"], sampling=kind, zsnr=False)
        results.append(ksampler(model=model))
    (same,) = run("ModelSamplingDiscrete", model=parts["model"], sampling="eps", zsnr=False)
    assert torch.equal(ksampler(model=same), results[0])
    assert all(result.isfinite().all() for result in results)
    assert len({float(result.sum()) for result in results}) == len(results)
    (zero,) = run("ModelSamplingDiscrete", model=parts["model"], sampling="v_prediction", zsnr=True)
    (sigmas,) = run("BasicScheduler", model=zero, scheduler="normal", steps=3, denoise=1.0)
    assert float(sigmas[0]) > 4000


def test_missing_models_are_named(run, environment):
    with pytest.raises(ModelError, match=r"model folder checkpoints has no file 'gone\.safetensors'"):
        run("CheckpointLoaderSimple", ckpt_name="gone.safetensors")


def test_inpainting_changes_the_hole_only(run, parts, ksampler):
    pixels = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 64, 64)
    mask[:, :, :24] = 1.0
    (encoded,) = run("VAEEncode", pixels=pixels, vae=parts["vae"])
    (masked,) = run("SetLatentNoiseMask", samples=encoded, mask=mask)
    result = ksampler(latent_image=masked, denoise=0.8)
    torch.testing.assert_close(result[..., 4:], encoded["samples"][..., 4:], rtol=1e-3, atol=1e-3)
    assert not torch.allclose(result[..., :2], encoded["samples"][..., :2], atol=1e-2)


def test_a_foreign_latent_is_refused(ksampler):
    with pytest.raises(NodeError, match=r"the model takes \[batch, 4"):
        ksampler(latent_image={"samples": torch.zeros(1, 16, 8, 8)})
