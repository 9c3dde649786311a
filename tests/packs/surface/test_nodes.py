"""The built-in classes in V1 form: called, extended and chained as packs do."""

import inspect

import numpy as np
import pytest
import torch
from PIL import Image

from inglenook.engine.context import InterruptProcessing, NodeContext, running
from inglenook.engine.events import NodeRef
from inglenook.errors import NodeError
from inglenook.nodes.interfaces import builtin_interfaces
from inglenook.packs.host import Host, host, set_host


@pytest.fixture
def nodes(surface):
    return surface("nodes")


def test_every_built_in_class_is_there_in_v1_form(nodes):
    assert type(nodes.NODE_CLASS_MAPPINGS) is dict
    assert nodes.NODE_CLASS_MAPPINGS.keys() == nodes.NODE_DISPLAY_NAME_MAPPINGS.keys() == builtin_interfaces().keys()
    for name, node_class in nodes.NODE_CLASS_MAPPINGS.items():
        assert getattr(nodes, name) is node_class
        inputs = node_class.INPUT_TYPES()
        assert all(type(spec) is tuple for specs in (inputs["required"],) for spec in specs.values())
        function = getattr(node_class(), node_class.FUNCTION)
        wanted = {name for specs in inputs.values() for name in specs}
        assert wanted <= set(inspect.signature(function).parameters)
        assert len(node_class.RETURN_TYPES) == len(getattr(node_class, "RETURN_NAMES", node_class.RETURN_TYPES))
    assert nodes.MAX_RESOLUTION == 16384


def test_inputs_are_new_each_time_and_hold_the_files_of_now(nodes, folders):
    assert nodes.LoadImage.INPUT_TYPES()["required"]["image"][0] == []
    (folders.input / "a.png").write_bytes(b"")
    types = nodes.LoadImage.INPUT_TYPES()
    assert types["required"]["image"] == (["a.png"], {"image_upload": True})
    types["required"]["more"] = ("INT",)
    types["required"]["image"][0].append("b.png")
    assert nodes.LoadImage.INPUT_TYPES()["required"] == {"image": (["a.png"], {"image_upload": True})}
    assert "euler" in nodes.KSampler.INPUT_TYPES()["required"]["sampler_name"][0]
    assert nodes.SaveImage.INPUT_TYPES()["hidden"] == {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}


def test_a_graph_of_v1_classes_gives_what_the_built_in_nodes_give(nodes, demo, builtin):
    (loaded_model, clip, vae) = nodes.NODE_CLASS_MAPPINGS["CheckpointLoaderSimple"]().load_checkpoint(
        "inglenook-demo.safetensors"
    )
    (positive,) = nodes.CLIPTextEncode().encode(clip, "a red circle")
    (negative,) = nodes.CLIPTextEncode().encode(clip=clip, text="")
    (latent,) = nodes.EmptyLatentImage().generate(64, 64)
    (latent,) = nodes.KSampler().sample(
        loaded_model, 1, 2, 4.0, "euler", "normal", positive, negative, latent_image=latent
    )
    (image,) = nodes.VAEDecode().decode(vae, latent)
    (wanted,) = builtin(
        "KSampler", model=demo["model"], seed=1, steps=2, cfg=4.0, sampler_name="euler", scheduler="normal",
        positive=demo["positive"], negative=demo["negative"], latent_image=demo["latent"], denoise=1.0,
    )  # fmt: skip
    assert torch.equal(latent["samples"], wanted["samples"])
    assert torch.equal(image, builtin("VAEDecode", samples=wanted, vae=demo["vae"])[0])
    (encoded,) = nodes.VAEEncode().encode(vae, image)
    assert torch.equal(encoded["samples"], builtin("VAEEncode", pixels=image, vae=demo["vae"])[0]["samples"])


def test_a_class_that_extends_one_with_more_outputs_inherits_no_names_of_them(nodes):
    class MyLoader(nodes.LoadImage):
        RETURN_TYPES = ("IMAGE", "MASK", "STRING")

    assert not hasattr(MyLoader, "RETURN_NAMES")
    assert not hasattr(MyLoader, "OUTPUT_IS_LIST")
    assert nodes.RebatchImages.INPUT_IS_LIST
    assert nodes.RebatchImages.OUTPUT_IS_LIST == (True,)
    assert nodes.SamplerCustom.RETURN_NAMES == ("output", "denoised_output")


def test_wrong_arguments_are_named(nodes):
    with pytest.raises(TypeError, match="VAEDecode takes 2 arguments, 3 were given"):
        nodes.VAEDecode().decode(1, 2, 3)
    with pytest.raises(TypeError, match="'vae' twice"):
        nodes.VAEDecode().decode(1, vae=2)


def test_common_ksampler_is_the_ksampler_node(nodes, demo, builtin):
    arguments = (1, 3, 4.0, "dpmpp_2m", "karras", demo["positive"], demo["negative"])
    (latent,) = nodes.common_ksampler(demo["model"], *arguments, demo["latent"], denoise=0.7)
    names = ("seed", "steps", "cfg", "sampler_name", "scheduler", "positive", "negative")
    inputs = dict(zip(names, arguments, strict=True))
    (wanted,) = builtin("KSampler", model=demo["model"], **inputs, latent_image=demo["latent"], denoise=0.7)
    assert torch.equal(latent["samples"], wanted["samples"])
    inputs["noise_seed"] = inputs.pop("seed")
    (half,) = nodes.common_ksampler(
        demo["model"],
        *arguments,
        demo["latent"],
        start_step=1,
        last_step=2,
        force_full_denoise=True,
        disable_noise=True,
    )
    (wanted,) = builtin(
        "KSamplerAdvanced", model=demo["model"], add_noise="disable", **inputs, latent_image=demo["latent"],
        start_at_step=1, end_at_step=2, return_with_leftover_noise="disable",
    )  # fmt: skip
    assert torch.equal(half["samples"], wanted["samples"])


def test_a_pack_that_extends_save_image_writes_where_it_says(nodes, folders, tmp_path):
    class MySave(nodes.SaveImage):
        def __init__(self):
            super().__init__()
            self.prefix_append = "_mine"
            self.compress_level = 0

        FUNCTION = "go"

        def go(self, images, prompt=None):
            return super().save_images(images, "acme/x", prompt, {"workflow": {"nodes": []}})

    images = torch.full((2, 8, 8, 3), 0.5)
    result = MySave().go(images, {"1": {}})
    assert result["ui"]["images"] == [
        {"filename": f"x_mine_0000{number}_.png", "subfolder": "acme", "type": "output"} for number in (1, 2)
    ]
    picture = Image.open(folders.output / "acme" / "x_mine_00001_.png")
    assert picture.text == {"prompt": '{"1": {}}', "workflow": '{"nodes": []}'}
    assert np.asarray(picture).max() == 127
    assert MySave.OUTPUT_NODE
    assert "images" in MySave.INPUT_TYPES()["required"]


def test_a_pack_that_makes_a_preview_of_save_image(nodes, folders):
    class MyPreview(nodes.SaveImage):
        def __init__(self):
            self.output_dir = str(folders.temp)
            self.type = "temp"
            self.prefix_append = "_temp_x"
            self.compress_level = 1

    ui = MyPreview().save_images(torch.zeros(1, 4, 4, 3))["ui"]
    assert ui["images"] == [{"filename": "ComfyUI_temp_x_00001_.png", "subfolder": "", "type": "temp"}]
    assert (folders.temp / "ComfyUI_temp_x_00001_.png").is_file()
    assert issubclass(nodes.PreviewImage, nodes.SaveImage)
    (file,) = nodes.PreviewImage().save_images(torch.zeros(1, 4, 4, 3))["ui"]["images"]
    assert file["type"] == "temp"
    assert (folders.temp / file["filename"]).is_file()
    odd = nodes.SaveImage()
    odd.type = "elsewhere"
    with pytest.raises(NodeError, match="elsewhere"):
        odd.save_images(torch.zeros(1, 4, 4, 3))


def test_a_loader_tells_changes_and_refuses_missing_files(nodes, folders):
    Image.new("RGB", (4, 4), "red").save(folders.input / "a.png")
    first = nodes.LoadImage.IS_CHANGED("a.png")
    assert first == nodes.LoadImage.IS_CHANGED(image="a.png")
    Image.new("RGB", (4, 4), "blue").save(folders.input / "a.png")
    assert nodes.LoadImage.IS_CHANGED("a.png") != first
    assert nodes.LoadImage.VALIDATE_INPUTS("a.png") is True
    assert nodes.LoadImage.VALIDATE_INPUTS(image="b.png") == "Invalid image file: b.png"
    assert list(inspect.signature(nodes.LoadImage.VALIDATE_INPUTS).parameters) == ["image"]
    image, mask = nodes.LoadImage().load_image("a.png")
    assert image[0, 0, 0].tolist() == [0, 0, 1]
    assert mask.shape == (1, 64, 64)
    assert not hasattr(nodes.CheckpointLoaderSimple, "IS_CHANGED")


def test_interruption_reaches_the_process_and_stops_the_node(nodes, surface):
    management = surface("comfy.model_management")
    stopped = []
    before = host()
    set_host(Host(interrupt=lambda: stopped.append(True)))
    try:
        nodes.interrupt_processing()
        management.interrupt_current_processing()
        management.interrupt_current_processing(False)
    finally:
        set_host(before)
    assert stopped == [True, True]
    assert not management.processing_interrupted()
    management.throw_exception_if_processing_interrupted()
    with running(NodeContext("job", NodeRef("1", "1", None, "1"), lambda _: None, lambda: True)):
        assert management.processing_interrupted()
        with pytest.raises(management.InterruptProcessingException):
            management.throw_exception_if_processing_interrupted()
        with pytest.raises(InterruptProcessing):
            nodes.before_node_execution()
