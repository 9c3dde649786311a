"""Stable Diffusion 1.x: a UNet with cross-attention, a CLIP text encoder, a convolutional autoencoder, in one file.

Every width and depth is read from the tensors, so that small models of the same layout work. What shapes do not tell
comes from the metadata (`inglenook.unet_heads`, `inglenook.clip_heads`, `inglenook.norm_groups`), else SD1.5's rule
holds: 8 heads in the UNet, 64 channels per head in CLIP, 32 groups. Rombach et al. 2022; Radford et al. 2021.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn

from inglenook.errors import ModelError
from inglenook.models import architectures
from inglenook.models.families.autoencoder import find_autoencoder, norm_groups, whole_number
from inglenook.models.families.family import Checkpoint, DiffusionPart, LatentFormat, TextPart
from inglenook.models.files import TensorFile
from inglenook.models.keymap import CLIP_PREFIX, UNET_PREFIX, clip_keys, unet_keys
from inglenook.models.load import network
from inglenook.models.sampling.prediction import Kind, linear_prediction
from inglenook.models.text.prompt import ChunkShape

LATENT_SCALE = 0.18215
LATENT_RGB = ((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473))
"""Linear picture of an SD1 latent: discuss.huggingface.co/t/23204, also in invoke-ai/InvokeAI (Apache-2.0)."""
OLD_CLIP_PREFIX = "cond_stage_model.transformer."
"""Files of 2022 have no `text_model.` level."""


@dataclass(frozen=True, slots=True)
class UNetShape:
    """Everything that fixes the architecture of the UNet."""

    in_channels: int
    out_channels: int
    channels: tuple[int, ...]
    """Width of each level, largest picture first."""
    depths: tuple[int, ...]
    """Transformer blocks per attention in each level, 0 for none."""
    layers_per_block: int
    context_width: int
    heads: int
    groups: int
    time_width: int

    def build(self) -> nn.Module:
        options: dict[str, Any] = {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "block_out_channels": self.channels,
            "down_block_types": [_block(depth, "Down") for depth in self.depths],
            "up_block_types": [_block(depth, "Up") for depth in reversed(self.depths)],
            "layers_per_block": self.layers_per_block,
            "transformer_layers_per_block": [max(depth, 1) for depth in self.depths],
            "cross_attention_dim": self.context_width,
            "attention_head_dim": self.heads,  # diffusers means the number of heads
            "norm_num_groups": self.groups,
            "time_embedding_dim": self.time_width,
        }
        module: nn.Module = architectures.diffusers().UNet2DConditionModel(**options)
        return module


@dataclass(frozen=True, slots=True)
class TextShape:
    """Everything that fixes the architecture of the text encoder."""

    width: int
    hidden: int
    layers: int
    heads: int
    words: int
    positions: int

    def build(self) -> nn.Module:
        transformers = architectures.transformers()
        config = transformers.CLIPTextConfig(
            vocab_size=self.words,
            hidden_size=self.width,
            intermediate_size=self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            max_position_embeddings=self.positions,
            hidden_act="quick_gelu",
            bos_token_id=0,
            eos_token_id=2,
        )
        return cast(nn.Module, transformers.CLIPTextModel(config))


def read_checkpoint(file: TensorFile) -> Checkpoint | None:
    """The parts of a Stable Diffusion 1.x checkpoint, or None for any other file."""
    if not _is_sd1(file):
        return None
    shape = _unet_shape(file)
    if shape.in_channels != shape.out_channels:
        raise ModelError(
            f"{file.name} takes {shape.in_channels} latent channels and gives {shape.out_channels}: "
            "models for inpainting or depth with further input channels are not supported yet"
        )
    return Checkpoint(
        family="sd1",
        diffusion=DiffusionPart(
            network=network(
                file, "diffusion", unet_keys(shape.depths, shape.layers_per_block, 1), UNET_PREFIX, shape.build
            ),
            forward=forward,
            prediction=linear_prediction(_kind(file), zero_terminal="ztsnr" in file.tensors),
            latent=LatentFormat(shape.in_channels, LATENT_SCALE, *_preview_factors(file, shape.in_channels)),
        ),
        text=_text(file, shape.context_width),
        vae=find_autoencoder(file),
    )


def forward(module: nn.Module, x: Tensor, timestep: Tensor, context: Tensor) -> Tensor:
    """One evaluation of the UNet, see `family.Forward`."""
    output: Tensor = module(x, timestep, encoder_hidden_states=context, return_dict=False)[0]
    return output


def _is_sd1(file: TensorFile) -> bool:
    """A UNet with convolutions around its transformers (SD2 and SDXL have linear layers) and no vector conditioning."""
    tensors = file.tensors
    around = [key for key in tensors if key.startswith(UNET_PREFIX) and key.endswith(".1.proj_in.weight")]
    return (
        f"{UNET_PREFIX}input_blocks.0.0.weight" in tensors
        and f"{UNET_PREFIX}label_emb.0.0.weight" not in tensors
        and bool(around)
        and all(len(file.shape(key)) == 4 for key in around)
    )


def _unet_shape(file: TensorFile) -> UNetShape:
    levels: list[list[tuple[int, int]]] = [[]]
    """Of each level the (width, depth) of its layers."""
    block = 1
    while True:
        path = f"{UNET_PREFIX}input_blocks.{block}"
        if f"{path}.0.op.weight" in file.tensors:
            levels.append([])
        elif f"{path}.0.in_layers.2.weight" in file.tensors:
            levels[-1].append((file.shape(f"{path}.0.in_layers.2.weight")[0], _depth(file, f"{path}.1")))
        else:
            break
        block += 1
    if len({len(level) for level in levels}) != 1 or any(len(set(level)) != 1 for level in levels):
        raise ModelError(f"{file.name} has a UNet of irregular levels {levels}, which is not supported")
    some_attention = next(key for key in file.tensors if key.endswith("transformer_blocks.0.attn2.to_k.weight"))
    time_width, _ = file.shape(f"{UNET_PREFIX}time_embed.0.weight")
    return UNetShape(
        in_channels=file.shape(f"{UNET_PREFIX}input_blocks.0.0.weight")[1],
        out_channels=file.shape(f"{UNET_PREFIX}out.2.weight")[0],
        channels=tuple(level[0][0] for level in levels),
        depths=tuple(level[0][1] for level in levels),
        layers_per_block=len(levels[0]),
        context_width=file.shape(some_attention)[1],
        heads=whole_number(file, "inglenook.unet_heads", 8),
        groups=norm_groups(file),
        time_width=time_width,
    )


def _depth(file: TensorFile, path: str) -> int:
    depth = 0
    while f"{path}.transformer_blocks.{depth}.attn2.to_k.weight" in file.tensors:
        depth += 1
    return depth


def _text(file: TensorFile, context_width: int) -> TextPart | None:
    for prefix in (CLIP_PREFIX, OLD_CLIP_PREFIX):
        if f"{prefix}embeddings.token_embedding.weight" in file.tensors:
            break
    else:
        return None
    layers = 0
    while f"{prefix}encoder.layers.{layers}.layer_norm1.weight" in file.tensors:
        layers += 1
    words, width = file.shape(f"{prefix}embeddings.token_embedding.weight")
    positions, _ = file.shape(f"{prefix}embeddings.position_embedding.weight")
    if width != context_width:
        raise ModelError(f"{file.name}: the text encoder is {width} wide, the UNet expects {context_width}")
    shape = TextShape(
        width=width,
        hidden=file.shape(f"{prefix}encoder.layers.0.mlp.fc1.weight")[0],
        layers=layers,
        heads=whole_number(file, "inglenook.clip_heads", max(width // 64, 1)),
        words=words,
        positions=positions,
    )
    return TextPart(
        network=network(file, "text", clip_keys(layers), prefix, shape.build),
        shape=ChunkShape(length=positions),
        width=width,
    )


def _kind(file: TensorFile) -> Kind:
    """eps, unless the file says otherwise: the tensor `v_pred` of fine-tuners, or the metadata of modelspec.org."""
    named = file.metadata.get("modelspec.prediction_type", "epsilon")
    return "v_prediction" if "v_pred" in file.tensors or named.startswith("v") else "eps"


Colours = tuple[tuple[float, float, float], ...]


def _preview_factors(file: TensorFile, channels: int) -> tuple[Colours, tuple[float, float, float]]:
    """Colours of the latent channels, and of the zero latent: SD1.5's, or those that the file's metadata gives.

    Metadata `inglenook.latent_rgb`: JSON, a row of red, green and blue per channel and a last row for the bias.
    """
    text = file.metadata.get("inglenook.latent_rgb")
    if text is None:
        return LATENT_RGB, (0.0, 0.0, 0.0)
    rows = json.loads(text)
    if len(rows) != channels + 1 or any(len(row) != 3 for row in rows):
        raise ModelError(f"{file.name}: metadata inglenook.latent_rgb must have {channels + 1} rows of 3 numbers")
    red_green_blue = tuple((float(red), float(green), float(blue)) for red, green, blue in rows)
    return red_green_blue[:-1], red_green_blue[-1]


def _block(depth: int, side: str) -> str:
    return f"CrossAttn{side}Block2D" if depth else f"{side}Block2D"
