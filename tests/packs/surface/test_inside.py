"""What packs import of ComfyUI's inside: the import succeeds, and the first use is an error that names it."""

import pytest
import torch

from inglenook.errors import NodeError
from inglenook.packs.discovery import Pack
from inglenook.packs.importing import import_pack

CLASSES = [
    ("comfy.model_patcher", "ModelPatcher"),
    ("comfy.controlnet", "ControlNet"),
    ("comfy.model_base", "SDXL"),
    ("comfy.model_sampling", "ModelSamplingDiscreteFlow"),
    ("comfy.clip_vision", "ClipVisionModel"),
    ("comfy.latent_formats", "SDXL"),
    ("comfy.sd", "CLIPType"),
    ("nodes", "LoraLoader"),
    ("comfy_extras.nodes_upscale_model", "ImageUpscaleWithModel"),
    ("latent_preview", "TAESDPreviewerImpl"),
]


@pytest.mark.parametrize(("module", "name"), CLASSES)
def test_a_class_can_be_imported_and_asked_about_but_not_used(surface, module, name):
    node_class = getattr(surface(module), name)
    own = type("Own", (node_class,), {"extra": 1})
    assert not isinstance(object(), node_class)
    assert own.extra == 1
    said = rf"inglenook has no {module}\.{name}"
    for made in (node_class, own):
        with pytest.raises(NodeError, match=said):
            made(1, key=2)
    with pytest.raises(AttributeError, match=rf"{said}\.surely_there"):
        _ = node_class.surely_there
    with pytest.raises(AttributeError, match=f"{said}.*surely_there would be put into nothing"):
        node_class.surely_there = None


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("comfy.lora", "load_lora"),
        ("comfy.controlnet", "load_controlnet"),
        ("comfy.clip_vision", "load"),
        ("comfy.sd", "load_diffusion_model"),
        ("comfy.diffusers_convert", "convert_vae_state_dict"),
    ],
)
def test_a_function_can_be_imported_but_not_called(surface, module, name):
    with pytest.raises(NodeError, match=rf"inglenook has no {module}\.{name}"):
        getattr(surface(module), name)("a file")


def test_a_pack_cannot_replace_what_nobody_would_call(surface):
    with pytest.raises(AttributeError, match=r"no comfy\.lora.*load_lora would be put into nothing"):
        surface("comfy.lora").load_lora = print
    with pytest.raises(AttributeError, match="has no 'something_else'"):
        _ = surface("comfy.lora").something_else


def test_the_harmless_nodes_of_a_pack_that_imports_deep_names_are_there(surface, tmp_path):
    code = """
from comfy.model_patcher import ModelPatcher
from comfy_extras.nodes_clip_sdxl import CLIPTextEncodeSDXL
from nodes import KSampler, LoraLoader
import comfy.controlnet, comfy.lora, comfy.ops
from server import PromptServer, web

class Kind:
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("*",)}}
    def run(self, value):
        return ("model" if isinstance(value, ModelPatcher) else "other",)

class Lora(LoraLoader):
    FUNCTION = "run"
    @classmethod
    def INPUT_TYPES(cls):
        return {**super().INPUT_TYPES(), "optional": {}}

NODE_CLASS_MAPPINGS = {"Kind": Kind, "Lora": Lora, "Twice": type("Twice", (KSampler,), {})}
"""
    (tmp_path / "deep.py").write_text(code)
    imported = import_pack(Pack("deep", tmp_path / "deep.py"))
    assert imported.report.error is None
    assert sorted(imported.implementations) == ["Kind", "Twice"]
    assert imported.report.warnings == [
        "class Lora is left out: inglenook has no nodes.LoraLoader (see docs/custom-nodes.md)"
    ]
    assert imported.implementations["Kind"].create().run(value=1) == ("other",)


def test_modules_of_extra_nodes_have_the_built_in_classes(surface):
    nodes = surface("nodes").NODE_CLASS_MAPPINGS
    mask, post, sampling = (
        surface(f"comfy_extras.nodes_{name}") for name in ("mask", "post_processing", "custom_sampler")
    )
    assert mask.MaskComposite is nodes["MaskComposite"]
    assert post.Blur is post.ImageBlur is nodes["ImageBlur"]
    assert sampling.SamplerCustomAdvanced is nodes["SamplerCustomAdvanced"]
    latent = {"samples": torch.zeros(1, 4, 2, 2)}
    noise = sampling.Noise_RandomNoise(7)
    (wanted,) = nodes["RandomNoise"]().get_noise(7)
    assert noise.seed == 7
    assert torch.equal(noise.generate_noise(latent), wanted.generate_noise(latent))
    with pytest.raises(AttributeError, match="has no 'NodeOfTomorrow'"):
        _ = mask.NodeOfTomorrow


def test_pictures_are_laid_over_others_in_units_of_pixels(surface):
    composite = surface("comfy_extras.nodes_mask").composite
    ground = torch.zeros(1, 4, 4, 4)
    laid = composite(ground, torch.ones(1, 4, 2, 2), 16, 8)
    assert laid[0, 0].tolist() == [[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]]
    assert composite(ground, torch.ones(1, 4, 1, 1), 3, 0, multiplier=1)[0, 0, 0].tolist() == [0, 0, 0, 1]


def test_the_latent_format_of_a_model_says_which_family_it_is_of(surface, demo):
    formats = surface("comfy.latent_formats")
    form = demo["model"].get_model_object("latent_format")
    assert isinstance(form, formats.SD15)
    assert isinstance(form, formats.LatentFormat)
    assert not isinstance(form, formats.SDXL)
    assert (formats.SD15().latent_channels, formats.SD15().scale_factor) == (4, 0.18215)
    assert len(form.latent_rgb_factors) == 4
    latent = torch.rand(1, 4, 2, 2)
    assert torch.allclose(form.process_out(form.process_in(latent)), latent)


@pytest.mark.parametrize("name", ["Linear", "Conv2d", "GroupNorm", "LayerNorm"])
def test_layers_compute_in_the_type_of_their_input(surface, name):
    sizes = {"Linear": (4, 4), "Conv2d": (4, 4, 1), "GroupNorm": (2, 4), "LayerNorm": (4,)}[name]
    value = torch.rand(1, 4, 4, 4)
    plain = getattr(torch.nn, name)(*sizes)
    layer = getattr(surface("comfy.ops").manual_cast, name)(*sizes)
    layer.load_state_dict(plain.state_dict())
    layer.to(torch.float16)
    given = layer(value)
    assert given.dtype == torch.float32
    assert torch.allclose(given, plain(value), atol=1e-2)


def test_a_layer_without_drawn_weights_is_filled_by_a_file(surface):
    operations = surface("comfy.ops").disable_weight_init
    torch.manual_seed(3)
    operations.Linear(4, 4), operations.conv_nd(3, 1, 1, 1)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1))
    embedding = surface("comfy.ops").manual_cast.Embedding(3, 2)
    embedding.load_state_dict({"weight": torch.ones(3, 2)})
    assert embedding(torch.tensor([1]), out_dtype=torch.float16).dtype == torch.float16
    with pytest.raises(ValueError, match="unsupported dimensions: 4"):
        operations.conv_nd(4, 1, 1, 1)
