import pytest
import torch

from inglenook.errors import NodeError


@pytest.fixture
def clip(run, checkpoint):
    return run("CheckpointLoaderSimple", ckpt_name=checkpoint)[1]


def encode(run, clip, text):
    return run("CLIPTextEncode", text=text, clip=clip)[0]


def test_conditioning_is_a_list_of_tensor_and_options(run, clip):
    ((context, options),) = encode(run, clip, "a red circle")
    assert context.shape == (1, 77, 32)
    assert options["pooled_output"].shape == (1, 32)


def test_combine_lists_both(run, clip):
    red, blue = encode(run, clip, "red"), encode(run, clip, "blue")
    (both,) = run("ConditioningCombine", conditioning_1=red, conditioning_2=blue)
    assert both == [red[0], blue[0]]
    assert len(red) == 1


def test_concat_lengthens_every_entry_by_the_first_of_the_other(run, clip, caplog):
    red, blue = encode(run, clip, "red"), encode(run, clip, "blue")
    (long,) = run("ConditioningConcat", conditioning_to=[*red, *blue], conditioning_from=blue)
    assert [context.shape[1] for context, _ in long] == [154, 154]
    assert torch.equal(long[0][0][:, 77:], blue[0][0])
    assert not caplog.text
    run("ConditioningConcat", conditioning_to=red, conditioning_from=[*red, *blue])
    assert "the first is used" in caplog.text


def test_concat_with_nothing_is_refused(run, clip):
    with pytest.raises(NodeError, match="conditioning_from is empty"):
        run("ConditioningConcat", conditioning_to=encode(run, clip, "red"), conditioning_from=[])


def test_clip_skip(run, clip):
    (skipped,) = run("CLIPSetLastLayer", clip=clip, stop_at_clip_layer=-2)
    assert not torch.equal(encode(run, skipped, "red")[0][0], encode(run, clip, "red")[0][0])


def test_embeddings_of_the_folder_are_used(run, clip, environment, checkpoint):
    folder = environment.folders.models["embeddings"].paths[0]
    torch.save({"string_to_param": {"*": torch.ones(2, 32)}}, folder / "style.pt")
    clip = run("CheckpointLoaderSimple", ckpt_name=checkpoint)[1]
    assert not torch.equal(encode(run, clip, "embedding:style")[0][0], encode(run, clip, "")[0][0])


@pytest.mark.parametrize(
    ("class_type", "inputs"), [("CLIPTextEncode", {"text": "x"}), ("CLIPSetLastLayer", {"stop_at_clip_layer": -1})]
)
def test_a_checkpoint_without_text_encoder_is_explained(run, class_type, inputs):
    with pytest.raises(NodeError, match="has no text encoder"):
        run(class_type, clip=None, **inputs)


# What is said of entries


def test_average_lies_between_both(run, clip):
    red, blue = encode(run, clip, "red"), encode(run, clip, "blue")
    ((context, options),) = run(
        "ConditioningAverage", conditioning_to=red, conditioning_from=blue, conditioning_to_strength=0.25
    )[0]
    assert torch.allclose(context, red[0][0] * 0.25 + blue[0][0] * 0.75, atol=1e-6)
    pooled = red[0][1]["pooled_output"] * 0.25 + blue[0][1]["pooled_output"] * 0.75
    assert torch.allclose(options["pooled_output"], pooled, atol=1e-6)
    (long,) = run("ConditioningConcat", conditioning_to=red, conditioning_from=red)
    for to, source in ((long, blue), (red, long)):
        ((context, _),) = run(
            "ConditioningAverage", conditioning_to=to, conditioning_from=source, conditioning_to_strength=0.5
        )[0]
        assert context.shape == to[0][0].shape
    with pytest.raises(NodeError, match="conditioning_from is empty"):
        run("ConditioningAverage", conditioning_to=red, conditioning_from=[], conditioning_to_strength=0.5)


def test_zero_out_leaves_nothing_of_the_text(run, clip):
    red = encode(run, clip, "red")
    ((context, options),) = run("ConditioningZeroOut", conditioning=[[red[0][0], {**red[0][1], "strength": 2.0}]])[0]
    assert not context.any()
    assert not options["pooled_output"].any()
    assert options["strength"] == 2.0
    assert red[0][0].any()
    assert run("ConditioningZeroOut", conditioning=[[red[0][0], {"pooled_output": None}]])[0][0][1] == {
        "pooled_output": None
    }


@pytest.mark.parametrize(
    ("class_type", "inputs", "options"),
    [
        ("ConditioningSetArea", {"width": 64, "height": 128, "x": 16, "y": 8, "strength": 2.0},
         {"area": (16, 8, 1, 2), "strength": 2.0, "set_area_to_bounds": False}),
        ("ConditioningSetAreaPercentage", {"width": 0.1, "height": 0.2, "x": 0.3, "y": 0.4, "strength": 2.0},
         {"area": ("percentage", 0.2, 0.1, 0.4, 0.3), "strength": 2.0, "set_area_to_bounds": False}),
        ("ConditioningSetAreaStrength", {"strength": 0.5}, {"strength": 0.5}),
        ("ConditioningSetTimestepRange", {"start": 0.2, "end": 0.8}, {"start_percent": 0.2, "end_percent": 0.8}),
    ],
)  # fmt: skip
def test_options_of_entries_are_those_that_packs_read(run, clip, class_type, inputs, options):
    red = encode(run, clip, "red")
    ((context, found),) = run(class_type, conditioning=red, **inputs)[0]
    assert context is red[0][0]
    assert found == {**red[0][1], **options}
    assert red[0][1].keys() == {"pooled_output"}


@pytest.mark.parametrize(("area", "bounds"), [("default", False), ("mask bounds", True)])
def test_masks_of_entries(run, clip, area, bounds):
    mask = torch.ones(8, 8)
    ((_, options),) = run(
        "ConditioningSetMask", conditioning=encode(run, clip, "red"), mask=mask, strength=0.5, set_cond_area=area
    )[0]
    assert options["mask"].shape == (1, 8, 8)
    assert (options["mask_strength"], options["set_area_to_bounds"]) == (0.5, bounds)


def test_masked_prompts_change_what_is_sampled(run, checkpoint, clip):
    model, _, _ = run("CheckpointLoaderSimple", ckpt_name=checkpoint)
    red, blue = encode(run, clip, "red"), encode(run, clip, "blue")
    (latent,) = run("EmptyLatentImage", width=128, height=64)

    def sample(positive):
        return run(
            "KSampler", model=model, seed=1, steps=2, cfg=2.0, sampler_name="euler", scheduler="normal",
            positive=positive, negative=blue, latent_image=latent,
        )[0]["samples"]  # fmt: skip

    left = torch.zeros(64, 128)
    left[:, :64] = 1
    (masked,) = run("ConditioningSetMask", conditioning=red, mask=left, strength=1.0, set_cond_area="default")
    (ranged,) = run("ConditioningSetTimestepRange", conditioning=red, start=0.0, end=1.0)
    results = [sample(red), sample(masked)]
    assert torch.isfinite(results[1]).all()
    assert not torch.equal(*results)
    assert torch.equal(results[0], sample(ranged))


def test_an_inpainting_prompt_carries_the_picture_with_the_hole(run, checkpoint, clip):
    _, _, vae = run("CheckpointLoaderSimple", ckpt_name=checkpoint)
    pixels, mask = torch.rand(1, 70, 64, 3), torch.zeros(1, 70, 64)
    mask[:, 20:40, 16:48] = 1
    red, blue = encode(run, clip, "red"), encode(run, clip, "blue")
    inputs = {"positive": red, "negative": blue, "vae": vae, "pixels": pixels, "mask": mask}
    positive, negative, latent = run("InpaintModelConditioning", **inputs, noise_mask=True)
    assert latent["noise_mask"].shape == (1, 1, 64, 64)
    assert torch.equal(latent["samples"], run("VAEEncode", pixels=pixels, vae=vae)[0]["samples"])
    for entry in (positive[0][1], negative[0][1]):
        assert entry["concat_latent_image"].shape == latent["samples"].shape
        assert torch.equal(entry["concat_mask"], latent["noise_mask"])
    assert not torch.equal(positive[0][1]["concat_latent_image"], latent["samples"])
    assert "noise_mask" not in run("InpaintModelConditioning", **inputs, noise_mask=False)[2]
