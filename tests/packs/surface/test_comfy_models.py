"""Models, samplers and devices as packs use them, against what the built-in nodes give."""

import copy
import json

import pytest
import torch

from inglenook.demo import checkpoint_path
from inglenook.errors import ModelError, NodeError
from inglenook.models.text.encode import encode_prompt


@pytest.fixture
def wanted(builtin, demo):
    """The latent of the KSampler node: seed 3, three steps."""
    (latent,) = builtin(
        "KSampler", model=demo["model"], seed=3, steps=3, cfg=4.0, sampler_name="euler", scheduler="normal",
        positive=demo["positive"], negative=demo["negative"], latent_image=demo["latent"], denoise=1.0,
    )  # fmt: skip
    return latent["samples"]


def test_sample_is_the_ksampler_node(surface, demo, wanted):
    sample = surface("comfy.sample")
    latent = demo["latent"]["samples"]
    noise = sample.prepare_noise(latent, 3)
    calls = []
    sampled = sample.sample(
        demo["model"], noise, 3, 4.0, "euler", "normal", demo["positive"], demo["negative"], latent,
        callback=lambda step, x0, x, total: calls.append((step, total, x0.shape, x.shape)), seed=3,
    )  # fmt: skip
    assert torch.equal(sampled, wanted)
    assert calls == [(step, 3, latent.shape, latent.shape) for step in range(3)]


def test_the_callback_sees_the_noisy_latent(surface, demo):
    sample = surface("comfy.sample")
    latent = demo["latent"]["samples"]
    noise = sample.prepare_noise(latent, 3)
    noisy = []
    sample.sample(
        demo["model"], noise, 2, 1.0, "euler", "normal", demo["positive"], demo["negative"], latent,
        callback=lambda step, x0, x, total: noisy.append(x.clone()), seed=3,
    )  # fmt: skip
    table = demo["model"].get_model_object("model_sampling")
    torch.testing.assert_close(noisy[0], noise * torch.sqrt(1 + table.sigma_max**2), rtol=1e-4, atol=1e-3)
    assert noisy[1].std() < noisy[0].std()


def test_sampling_taken_apart_is_the_same(surface, demo, wanted):
    sample, samplers = surface("comfy.sample"), surface("comfy.samplers")
    model, latent = demo["model"], demo["latent"]["samples"]
    noise = sample.prepare_noise(latent, 3)
    sigmas = samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", 3)
    euler = samplers.sampler_object("euler")
    prompts = demo["positive"], demo["negative"]
    assert torch.equal(sample.sample_custom(model, noise, 4.0, euler, sigmas, *prompts, latent, seed=3), wanted)
    guider = samplers.CFGGuider(model)
    guider.set_conds(*prompts)
    guider.set_cfg(4.0)
    assert torch.equal(guider.sample(noise, latent, euler, sigmas, seed=3), wanted)
    ksampler = samplers.KSampler(model, 3, model.load_device, "euler", "normal", 1.0, model_options={})
    assert torch.equal(ksampler.sigmas, sigmas)
    assert torch.equal(ksampler.sample(noise, *prompts, 4.0, latent_image=latent, seed=3), wanted)
    half = ksampler.sample(noise, *prompts, 4.0, latent, last_step=2, seed=3)
    rest = ksampler.sample(torch.zeros_like(noise), *prompts, 4.0, half, start_step=2, seed=3)
    torch.testing.assert_close(rest, wanted, rtol=1e-3, atol=1e-3)
    again = samplers.sample(
        model, noise, *prompts, 4.0, model.load_device, euler, sigmas, {}, latent_image=latent, seed=3
    )
    assert torch.equal(again, wanted)


def test_a_guider_of_a_pack_works_in_the_built_in_sampler(surface, builtin, demo, wanted):
    class MyGuider(surface("comfy.samplers").CFGGuider):
        pass

    guider = MyGuider(demo["model"])
    (sigmas,) = builtin("BasicScheduler", model=demo["model"], scheduler="normal", steps=3, denoise=1.0)
    inputs = {
        "noise": builtin("RandomNoise", noise_seed=3)[0], "guider": guider, "sigmas": sigmas,
        "sampler": builtin("KSamplerSelect", sampler_name="euler")[0], "latent_image": demo["latent"],
    }  # fmt: skip
    with pytest.raises(NodeError, match="set_conds"):
        builtin("SamplerCustomAdvanced", **inputs)
    guider.set_conds(demo["positive"], demo["negative"])
    guider.set_cfg(4.0)
    assert torch.equal(builtin("SamplerCustomAdvanced", **inputs)[0]["samples"], wanted)
    with pytest.raises(NotImplementedError, match="predict_noise"):
        type("Other", (MyGuider,), {"predict_noise": lambda self: None})


def test_a_sampling_node_of_a_pack_takes_a_built_in_guider(surface, builtin, demo, wanted):
    (guider,) = builtin("CFGGuider", model=demo["model"], positive=demo["positive"], negative=demo["negative"], cfg=4.0)
    (sigmas,) = builtin("BasicScheduler", model=demo["model"], scheduler="normal", steps=3, denoise=1.0)
    (noise,) = builtin("RandomNoise", noise_seed=3)
    (euler,) = builtin("KSamplerSelect", sampler_name="euler")
    output = {}
    callback = surface("latent_preview").prepare_callback(guider.model_patcher, 3, output)
    sampled = guider.sample(
        noise.generate_noise(demo["latent"]), demo["latent"]["samples"], euler, sigmas, denoise_mask=None,
        callback=callback, disable_pbar=False, seed=noise.seed,
    )  # fmt: skip
    assert torch.equal(sampled, wanted)
    denoised = guider.model_patcher.model.process_latent_out(output["x0"])
    torch.testing.assert_close(denoised, wanted, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(demo["model"].process_latent_in(denoised), output["x0"])
    output["x0"] += 1  # a pack may go on with it outside the sampler's inference mode


def test_a_sampler_of_a_pack_in_k_diffusions_form(surface, demo, wanted):
    samplers, sample = surface("comfy.samplers"), surface("comfy.sample")

    def my_euler(model, x, sigmas, extra_args=None, callback=None, disable=None, strength=1.0):
        ones = x.new_ones(len(x))
        for number in range(len(sigmas) - 1):
            denoised = model(x, sigmas[number] * ones, **extra_args)
            callback({"x": x, "i": number, "sigma": sigmas[number], "sigma_hat": sigmas[number], "denoised": denoised})
            x = x + (x - denoised) / sigmas[number] * (sigmas[number + 1] - sigmas[number]) * strength
        return x

    latent = demo["latent"]["samples"]
    sigmas = samplers.calculate_sigmas(demo["model"].get_model_object("model_sampling"), "normal", 3)
    steps = []
    sampled = sample.sample_custom(
        demo["model"], sample.prepare_noise(latent, 3), 4.0, samplers.KSAMPLER(my_euler, {"strength": 1.0}), sigmas,
        demo["positive"], demo["negative"], latent, callback=lambda step, *_: steps.append(step), seed=3,
    )  # fmt: skip
    torch.testing.assert_close(sampled, wanted, rtol=1e-3, atol=1e-3)
    assert steps == [0, 1, 2]


def test_options_of_samplers(surface, demo):
    samplers, sample = surface("comfy.samplers"), surface("comfy.sample")
    latent = demo["latent"]["samples"]
    sigmas = samplers.calculate_sigmas(demo["model"].model.model_sampling, "karras", 2)

    def run(sampler):
        return sample.sample_custom(
            demo["model"], sample.prepare_noise(latent, 1), 1.0, sampler, sigmas, demo["positive"], demo["negative"],
            latent, seed=1,
        )  # fmt: skip

    calm = run(samplers.ksampler("euler_ancestral", {"eta": 0.0}))
    torch.testing.assert_close(calm, run(samplers.ksampler("euler")), rtol=1e-3, atol=1e-3)
    assert not torch.equal(calm, run(samplers.ksampler("euler_ancestral")))
    with pytest.raises(NodeError, match=r"no option 'mood'.*eta, s_noise"):
        samplers.ksampler("euler_ancestral", {"mood": 1})
    with pytest.raises(NodeError, match="'patches' is not supported"):
        samplers.KSampler(demo["model"], 3, model_options={"patches": {}})
    assert samplers.KSampler.SAMPLERS[0] == "euler"
    assert samplers.KSampler.SCHEDULERS == samplers.SCHEDULER_NAMES
    assert samplers.SAMPLER_NAMES == samplers.KSAMPLER_NAMES


def test_empty_latents_get_the_channels_of_the_model(surface, demo):
    fix = surface("comfy.sample").fix_empty_latent_channels
    assert fix(demo["model"], torch.zeros(2, 16, 8, 8)).shape == (2, 4, 8, 8)
    full = torch.ones(1, 16, 8, 8)
    assert fix(demo["model"], full) is full


def test_a_checkpoint_is_loaded_by_its_path(surface, demo, wanted):
    sd = surface("comfy.sd")
    model, clip, vae, vision = sd.load_checkpoint_guess_config(str(checkpoint_path()), embedding_directory=["/none"])
    assert vision is None
    assert isinstance(clip, sd.CLIP)
    assert isinstance(vae, sd.VAE)
    assert not isinstance(clip, sd.VAE)
    assert torch.equal(clip.encode("a red circle"), demo["positive"][0][0])
    assert model.latent_format.channels == 4
    assert sd.load_checkpoint_guess_config(str(checkpoint_path()), output_vae=False, output_clip=False)[1:] == (
        None, None, None,
    )  # fmt: skip
    assert sd.load_checkpoint(ckpt_path=str(checkpoint_path()))[2].latent_channels == 4
    with pytest.raises(NodeError, match="'dtype' is not supported"):
        sd.load_checkpoint_guess_config(str(checkpoint_path()), model_options={"dtype": torch.float16})
    with pytest.raises(NodeError, match=r"inglenook has no comfy\.sd\.load_lora_for_models"):
        sd.load_lora_for_models(model, clip, {}, 1.0, 1.0)


def test_weights_in_memory_become_handles(surface, demo, builtin):
    sd, utils = surface("comfy.sd"), surface("comfy.utils")
    weights, metadata = utils.load_torch_file(str(checkpoint_path()), return_metadata=True)
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    image = demo["vae"].decode(latent)
    _, clip, vae, _ = sd.load_state_dict_guess_config(dict(weights), metadata=metadata)
    assert torch.equal(vae.decode(latent), image)
    assert torch.equal(clip.encode("a red circle"), demo["positive"][0][0])
    alone = utils.state_dict_prefix_replace(dict(weights), {"first_stage_model.": ""}, filter_keys=True)
    assert torch.equal(sd.VAE(sd=alone, metadata=metadata).decode(latent), image)
    with pytest.raises(ModelError):
        sd.VAE(sd={"x": torch.ones(1)})
    with pytest.raises(NodeError, match="weights"):
        sd.VAE()


def test_methods_of_clip(demo, builtin):
    clip = demo["clip"]
    prompt = "a (red:1.3) circle"
    tokens = clip.tokenize(prompt)
    encoded = encode_prompt(clip, prompt)
    assert list(tokens) == ["l"]
    assert {len(chunk) for chunk in tokens["l"]} == {77}
    assert 1.3 in {weight for _, weight in tokens["l"][0]}
    cond, pooled = clip.encode_from_tokens(tokens, return_pooled=True)
    assert torch.equal(cond, encoded.context)
    assert torch.equal(pooled, encoded.pooled)
    assert torch.equal(clip.encode_from_tokens(tokens), cond)
    assert clip.encode_from_tokens(tokens, return_dict=True).keys() == {"cond", "pooled_output"}
    ((context, options),) = clip.encode_from_tokens_scheduled(tokens, add_dict={"guidance": 3.5})
    assert torch.equal(context, cond)
    assert options.keys() == {"pooled_output", "guidance"}
    words = clip.tokenize(prompt, return_word_ids=True)["l"][0]
    assert [word for *_, word in words][:6] == [0, 1, 2, 3, 0, 0]
    assert torch.equal(clip.encode_from_tokens({"l": [words]}), cond)
    with pytest.raises(NodeError, match="'l'"):
        clip.encode_from_tokens({"g": []})


def test_a_clone_of_a_clip_may_be_changed_and_the_original_not(demo, builtin):
    clip = demo["clip"]
    with pytest.raises(NodeError, match="clone"):
        clip.clip_layer(-2)
    copy = clip.clone()
    copy.clip_layer(-2)
    (stopped,) = builtin("CLIPSetLastLayer", clip=clip, stop_at_clip_layer=-2)
    assert torch.equal(copy.encode("a red circle"), stopped.encode("a red circle"))
    assert torch.equal(clip.encode("a red circle"), demo["positive"][0][0])
    assert not torch.equal(copy.encode("a red circle"), clip.encode("a red circle"))


def test_methods_of_vae(demo, builtin):
    vae = demo["vae"]
    latent = torch.randn(2, 4, 24, 16, generator=torch.Generator().manual_seed(0)) * 0.5
    image = vae.decode(latent)
    assert torch.equal(image, builtin("VAEDecode", samples={"samples": latent}, vae=vae)[0])
    assert torch.equal(vae.encode(image), builtin("VAEEncode", pixels=image, vae=vae)[0]["samples"])
    assert vae.spacial_compression_decode() == vae.downscale_ratio == image.shape[1] // 24
    tiled = vae.decode_tiled(latent, tile_x=16, tile_y=16, overlap=8)
    assert tiled.shape == image.shape
    assert 0 < (tiled - image).abs().mean() < 0.05
    pixels = vae.downscale_ratio
    encoded = vae.encode_tiled(image, tile_x=16 * pixels, tile_y=16 * pixels, overlap=8 * pixels)
    assert encoded.shape == latent.shape
    with pytest.raises(NodeError, match="overlap"):
        vae.decode_tiled(latent, tile_x=8, tile_y=8, overlap=8)


def test_methods_of_model(demo):
    model = demo["model"]
    copy = model.clone()
    assert copy is not model
    assert copy.part is model.part
    table = model.get_model_object("model_sampling")
    assert table.percent_to_sigma(1.0) == 0.0
    assert table.sigma_min < table.percent_to_sigma(0.5) < table.sigma_max
    assert model.model.latent_format is model.get_model_object("latent_format")
    with pytest.raises(NodeError, match="diffusion_model"):
        model.get_model_object("diffusion_model")
    with pytest.raises(AttributeError, match="add_patches"):
        model.add_patches({})


def test_options_of_a_model_are_handed_on_and_patches_in_them_refused(surface, demo):
    samplers, options = surface("comfy.samplers"), demo["model"].model_options
    assert options["transformer_options"] == {}
    samplers.KSampler(demo["model"], steps=2, model_options=options)
    with pytest.raises(NodeError, match="'patches' is not supported"):
        options["transformer_options"]["patches"] = {}
    with pytest.raises(NodeError, match="'sampler_cfg_function' is not supported"):
        options["sampler_cfg_function"] = max
    changed = copy.deepcopy(options)
    changed["transformer_options"]["patches"] = {"attn1": [1]}
    with pytest.raises(NodeError, match="'transformer_options' is not supported"):
        samplers.KSampler(demo["model"], steps=2, model_options=changed)
    assert demo["model"].model_options["transformer_options"] == {}


def test_model_management(surface, demo, environment):
    management = surface("comfy.model_management")
    assert management.get_torch_device() == environment.models.device
    assert management.intermediate_device() == management.unet_offload_device() == torch.device("cpu")
    assert management.cpu_state is management.CPUState.CPU
    assert management.vram_state is management.VRAMState.DISABLED
    assert not management.should_use_fp16()
    assert not management.xformers_enabled()
    assert management.unet_dtype() is management.vae_dtype() is torch.float32
    assert 0 < management.get_free_memory() <= management.get_total_memory()
    assert len(management.get_free_memory(torch_free_too=True)) == 2
    assert management.total_ram == pytest.approx(management.get_total_memory() / (1 << 20))
    assert management.is_device_cpu(torch.device("cpu"))
    assert not management.is_device_mps(torch.device("cpu"))
    assert management.module_size(torch.nn.Linear(2, 3)) == 9 * 4
    assert issubclass(management.OOM_EXCEPTION, RuntimeError)
    assert management.cast_to(torch.ones(1), torch.float16).dtype is torch.float16
    management.soft_empty_cache()
    management.cleanup_models()


def test_models_are_loaded_and_dropped(surface, demo, environment):
    management = surface("comfy.model_management")
    management.unload_all_models()
    assert management.current_loaded_models == []
    management.load_models_gpu([demo["model"], demo["vae"]])
    management.load_model_gpu(demo["clip"])
    loaded = management.current_loaded_models
    assert len(loaded) == len(management.loaded_models()) == 3
    assert sum(entry.model_memory() for entry in loaded) == pytest.approx(environment.models.used_bytes, rel=1e-3)
    assert loaded[0].model_unload()
    assert len(management.current_loaded_models) == 2
    dropped = management.free_memory(1e30, management.get_torch_device(), keep_loaded=[demo["model"]])
    assert len(dropped) == 1
    assert management.free_memory(1e30, torch.device("meta")) == []
    assert len(management.current_loaded_models) == 1
    with pytest.raises(NodeError, match="object"):
        management.load_model_gpu(object())


def test_types(surface):
    types = surface("comfy.comfy_types")
    assert types.IO.NUMBER == "FLOAT,INT"
    assert types.IO.ANY == "*"
    assert isinstance(types.IO.IMAGE, str)
    assert json.dumps({"type": types.IO.IMAGE}) == '{"type": "IMAGE"}'
    assert f"{types.IO.IMAGE}" == "IMAGE"
    assert surface("comfy.comfy_types.node_typing").IO is types.IO

    class Node(types.ComfyNodeABC, types.CheckLazyMixin):
        @classmethod
        def INPUT_TYPES(cls):
            return {"required": {"a": (types.IO.INT, {"lazy": True})}}

    assert Node().check_lazy_status(a=None, b=1) == ["a"]
    assert not hasattr(Node, "DESCRIPTION")


def test_options_of_the_server(surface, folders):
    args = surface("comfy.cli_args").args
    assert (args.listen, args.port, args.cpu) == ("127.0.0.1", 8188, True)
    assert args.output_directory == str(folders.output)
    assert args.preview_method.value == "auto"
    assert args.disable_metadata is False
    assert not args.lowvram
    assert args.cuda_device is None
    with pytest.raises(AttributeError, match="make_coffee"):
        _ = args.make_coffee
    surface("comfy.options").enable_args_parsing()
