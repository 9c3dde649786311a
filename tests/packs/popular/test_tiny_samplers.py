"""Sampling by the functions below the nodes gives what the nodes give."""

import pytest

from tests.packs.popular.harness import solid
from tests.packs.rules.harness import node, of_type

SETTINGS = {"seed": 7, "steps": 2, "cfg": 5.0, "sampler_name": "euler", "scheduler": "normal"}


def sampled(sampler, loader="CheckpointLoaderSimple", **inputs):
    """A graph whose node `image` is the picture."""
    links = {"model": ["ckpt", 0], "positive": ["p", 0], "negative": ["n", 0], "latent_image": ["latent", 0]}
    return {
        "ckpt": node(loader, ckpt_name="tiny.safetensors"),
        "p": node("CLIPTextEncode", clip=["ckpt", 1], text="a boat"),
        "n": node("CLIPTextEncode", clip=["ckpt", 1], text="fog"),
        "latent": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "sample": node(sampler, **links, **SETTINGS, **inputs),
        "image": node("VAEDecode", vae=["ckpt", 2], samples=["sample", 0]),
    }


@pytest.fixture(scope="module")
def expected(server):
    (picture,) = server.pictures(sampled("KSampler", denoise=1.0), "image")
    return picture


@pytest.mark.parametrize("way", ["common_ksampler", "comfy.sample", "KSampler", "sample_custom"])
def test_each_way_to_sample_gives_what_the_built_in_node_gives(server, expected, way):
    graph = sampled("TinySampler", way=way)
    (picture,) = server.pictures(graph, "image")
    assert abs(picture.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("way", ["comfy.sample", "sample_custom"])
def test_steps_are_told_with_pictures(server, way):
    graph = sampled("TinySampler", way=way) | {"s": node("PreviewImage", images=["image", 0])}
    graph["sample"]["inputs"] |= {"seed": 8, "steps": 3}
    messages = server.conversation(graph, extra_data={"preview_method": "latent2rgb"})
    steps = of_type([message for message in messages if isinstance(message, dict)], "progress")
    assert [step["value"] for step in steps if step["node"] == "sample"] == [1, 2, 3]
    assert [message for message in messages if isinstance(message, bytes)]


def test_a_checkpoint_is_loaded_by_the_function_of_comfy(server, expected):
    graph = sampled("TinySampler", loader="TinyLoader", way="comfy.sample")
    (picture,) = server.pictures(graph, "image")
    assert abs(picture.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("tiled", [False, True])
def test_pictures_go_through_the_vae(server, tiled):
    graph = {
        "ckpt": node("CheckpointLoaderSimple", ckpt_name="tiny.safetensors"),
        "i": solid(width=64, height=64),
        "own": node("TinyVae", vae=["ckpt", 2], pixels=["i", 0], tiled=tiled),
        "encode": node("VAEEncode", vae=["ckpt", 2], pixels=["i", 0]),
        "decode": node("VAEDecode", vae=["ckpt", 2], samples=["encode", 0]),
    }
    (own,) = server.pictures(graph, "own")
    (built_in,) = server.pictures(graph, "decode")
    assert own.shape == built_in.shape == (64, 64, 3)
    assert abs(own.astype(int) - built_in).max() <= 2


def test_conditioning_and_latents_are_plain_data(server):
    graph = sampled("TinySampler", way="common_ksampler")
    graph["regions"] = node(
        "TinyRegions", clip=["ckpt", 1], vae=["ckpt", 2], texts="a boat|a tree|fog", latent=["latent", 0], skip=-2
    )
    assert server.value(graph, "regions", 3) == "(1, 231, 32) (1, 128, 128, 3)"
    graph["sample"]["inputs"] |= {"positive": ["regions", 0], "latent_image": ["regions", 1]}
    (picture,) = server.pictures(graph, "image")
    assert picture.shape == (128, 128, 3)
