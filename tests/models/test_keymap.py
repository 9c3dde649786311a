"""The key maps against the modules of diffusers and transformers, built on the meta device."""

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from inglenook.models.keymap import CLIP_PREFIX, KeyMap, clip_keys, strip_prefix, unet_keys, vae_keys


def unet(depths, layers=2, **options):
    down = ["CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in depths]
    up = ["CrossAttnUpBlock2D" if depth else "UpBlock2D" for depth in reversed(depths)]
    with torch.device("meta"):
        return UNet2DConditionModel(
            block_out_channels=[32 * (level + 1) for level in range(len(depths))],
            down_block_types=down,
            up_block_types=up,
            layers_per_block=layers,
            transformer_layers_per_block=[max(depth, 1) for depth in depths],
            cross_attention_dim=32,
            attention_head_dim=8,
            **options,
        )


@pytest.mark.parametrize(
    ("depths", "layers", "mid", "options"),
    [
        ((1, 1, 1, 0), 2, 1, {}),
        ((1, 1, 0), 1, 1, {}),
        (
            (0, 2, 3),
            2,
            3,
            {
                "addition_embed_type": "text_time",
                "addition_time_embed_dim": 8,
                "projection_class_embeddings_input_dim": 64,
            },
        ),
    ],
)
def test_unet_names_and_shapes_survive_the_way_there_and_back(depths, layers, mid, options):
    state = unet(depths, layers, **options).state_dict()
    keys = unet_keys(depths, layers, mid, has_label_embedding=bool(options))
    original = keys.state_to_original(state)
    assert len(original) == len(state)
    back = keys.state_to_diffusers(original)
    assert {key: tensor.shape for key, tensor in back.items()} == {key: tensor.shape for key, tensor in state.items()}


def test_sd15_names_are_those_of_the_original_files():
    keys = unet_keys((1, 1, 1, 0), 2, 1)
    assert keys.to_diffusers("input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight") == (
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"
    )
    assert keys.to_diffusers("output_blocks.2.1.conv.weight") == "up_blocks.0.upsamplers.0.conv.weight"
    assert keys.to_diffusers("output_blocks.5.2.conv.bias") == "up_blocks.1.upsamplers.0.conv.bias"
    assert keys.to_diffusers("input_blocks.3.0.op.weight") == "down_blocks.0.downsamplers.0.conv.weight"
    assert keys.to_original("mid_block.resnets.1.conv1.weight") == "middle_block.2.in_layers.2.weight"
    assert keys.to_diffusers("output_blocks.11.2.conv.weight") is None


def test_vae_attention_is_stored_as_convolution_in_the_original():
    with torch.device("meta"):
        vae = AutoencoderKL(
            block_out_channels=[32, 64, 64],
            down_block_types=["DownEncoderBlock2D"] * 3,
            up_block_types=["UpDecoderBlock2D"] * 3,
            layers_per_block=1,
            latent_channels=4,
        )
    state = vae.state_dict()
    keys = vae_keys(3, 1)
    original = keys.state_to_original(state)
    assert tuple(original["decoder.mid.attn_1.q.weight"].shape) == (64, 64, 1, 1)
    assert tuple(original["decoder.up.2.block.0.conv1.weight"].shape) == tuple(
        state["decoder.up_blocks.0.resnets.0.conv1.weight"].shape
    )
    back = keys.state_to_diffusers(original)
    assert {key: tensor.shape for key, tensor in back.items()} == {key: tensor.shape for key, tensor in state.items()}


def test_clip_map_covers_the_text_model():
    config = CLIPTextConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, vocab_size=50
    )
    state = {key.removeprefix("text_model."): tensor for key, tensor in CLIPTextModel(config).state_dict().items()}
    original = clip_keys(2).state_to_original(state, CLIP_PREFIX)
    assert CLIP_PREFIX + "encoder.layers.1.mlp.fc2.bias" in original
    assert len(original) == len(state)


def test_unknown_names_are_reported_when_saving_and_left_out_when_loading():
    keys = clip_keys(1)
    assert keys.state_to_diffusers({"embeddings.position_ids": torch.arange(3)}) == {}
    with pytest.raises(KeyError, match="no counterpart"):
        keys.state_to_original({"something.else.weight": torch.zeros(1)})


def test_a_map_that_cannot_be_inverted_is_refused():
    with pytest.raises(ValueError, match="invertible"):
        KeyMap({"a": "c", "b": "c"})


def test_strip_prefix_keeps_the_full_names():
    assert strip_prefix(["model.a.weight", "other.b"], "model.") == {"a.weight": "model.a.weight"}
