"""Starting weights that let a network pass its input straight through, so that training only learns the rest.

Group normalisation removes the mean of a group of channels, and with it the colour of a large flat area: a narrow
network needs thousands of steps to find a way around that. The way around is put in by hand. A value v is kept as
four channels of one group, (v, -v, K, -K) with a constant K:

* the mean of the four is 0 and their variance is nearly constant, so normalisation keeps v up to a known factor;
* silu(v) - silu(-v) = v, so the nonlinearity keeps it as well.

Residual branches start at zero. Everything stays trainable; only the starting point is special.
"""

from __future__ import annotations

import math

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import Tensor, nn

CONSTANT = 4.0
FIXED_CONSTANT = 16.0
"""For parts that are never trained: closer to linear, but small changes of their weights would do much harm."""
OTHERS_VARIANCE = 0.3
"""Typical variance of the channels that share a group with a kept value, at the start."""


def start(unit: nn.Module) -> None:
    """Set every residual branch below `unit` to zero."""
    for module in unit.modules():
        if isinstance(module, ResnetBlock2D):
            _zero(module.conv2)
        elif isinstance(module, Transformer2DModel):
            _zero(module.proj_out)


@torch.no_grad()
def start_vae(vae: AutoencoderKL, to_latent: Tensor, to_colour: Tensor, groups: int) -> None:
    """Make the autoencoder average 8 x 8 pixels and repeat them; to_latent [3, 4], to_colour [4, 3]."""
    start(vae)
    for parameter in vae.encoder.parameters():
        if parameter.ndim > 1:
            nn.init.zeros_(parameter)
    for module in vae.encoder.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.zeros_(module.bias)
    for half in (vae.encoder, vae.decoder):
        _zero(half.mid_block.attentions[0].to_out[0])
    encoder, decoder = vae.encoder, vae.decoder
    _enter(encoder.conv_in, torch.eye(3), groups, FIXED_CONSTANT)
    for block in encoder.down_blocks:
        _shortcuts(block, 3, groups)
        for sampler in block.downsamplers or ():
            _copy(sampler.conv, 3, groups, taps=((0, 0), (0, 1), (1, 0), (1, 1)))
    _leave(encoder.conv_norm_out, encoder.conv_out, to_latent, groups, FIXED_CONSTANT, others=0.0)
    _pass(vae.quant_conv)
    _pass(vae.post_quant_conv)
    _enter(decoder.conv_in, to_colour, groups)
    for block in decoder.up_blocks:
        _shortcuts(block, 3, groups)
        for sampler in block.upsamplers or ():
            _copy(sampler.conv, 3, groups)
    _leave(decoder.conv_norm_out, decoder.conv_out, torch.eye(3), groups)


@torch.no_grad()
def start_unet(unet: UNet2DConditionModel, groups: int) -> None:
    """Make the UNet return its input, which is the right answer where noise is all there is."""
    start(unet)
    _enter(unet.conv_in, torch.eye(4), groups)
    last = unet.up_blocks[-1].resnets[-1]
    width = unet.conv_in.out_channels
    _copy(last.conv_shortcut, 4, groups, offset=last.conv_shortcut.in_channels - width, group_width=width // groups)
    _leave(unet.conv_norm_out, unet.conv_out, torch.eye(4), groups)


def _zero(layer: nn.Conv2d | nn.Linear) -> None:
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _enter(conv: nn.Conv2d, matrix: Tensor, groups: int, constant: float = CONSTANT) -> None:
    """Let a convolution write the values input @ matrix as four channels each."""
    size, middle = conv.out_channels // groups, conv.kernel_size[0] // 2
    for index in range(matrix.shape[1]):
        first = index * size
        conv.weight[first : first + 4] = 0.0
        conv.weight[first, :, middle, middle] = matrix[:, index]
        conv.weight[first + 1, :, middle, middle] = -matrix[:, index]
        assert conv.bias is not None
        conv.bias[first : first + 4] = torch.tensor([0.0, 0.0, constant, -constant])


def _copy(
    conv: nn.Conv2d,
    count: int,
    groups: int,
    taps: tuple[tuple[int, int], ...] | None = None,
    offset: int = 0,
    group_width: int | None = None,
) -> None:
    """Let a convolution carry `count` kept values on; the mean over `taps`, by default the middle of the kernel."""
    source, target = group_width or conv.in_channels // groups, conv.out_channels // groups
    middle = conv.kernel_size[0] // 2
    taps = taps or ((middle, middle),)
    for index in range(count):
        first = offset + index * source
        conv.weight[:, first + 2 : first + 4] = 0.0  # the constants are for the kept values only
    for index in range(count):
        for part in range(4):
            row = index * target + part
            conv.weight[row] = 0.0
            for y, x in taps:
                conv.weight[row, offset + index * source + part, y, x] = 1 / len(taps)
            assert conv.bias is not None
            conv.bias[row] = 0.0


def _shortcuts(block: nn.Module, count: int, groups: int) -> None:
    for module in block.modules():
        if isinstance(module, ResnetBlock2D) and module.conv_shortcut is not None:
            _copy(module.conv_shortcut, count, groups)


def _leave(
    norm: nn.GroupNorm,
    conv: nn.Conv2d,
    matrix: Tensor,
    groups: int,
    constant: float = CONSTANT,
    others: float = OTHERS_VARIANCE,
) -> None:
    """Let the last normalisation and convolution return kept values @ matrix."""
    size = norm.num_channels // groups
    variance = (2 * constant**2 + 1.0 + (size - 4) * others) / size
    conv.weight[: matrix.shape[1]] *= 0.1
    for index, row in enumerate(matrix):
        first = index * size
        conv.weight[:, first : first + 4] = 0.0
        norm.weight[first : first + 2] = math.sqrt(variance)
        conv.weight[: len(row), first, 1, 1] = row
        conv.weight[: len(row), first + 1, 1, 1] = -row
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)


def _pass(conv: nn.Conv2d) -> None:
    nn.init.zeros_(conv.weight)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    for index in range(4):
        conv.weight[index, index, 0, 0] = 1.0
