"""The three networks of the demo checkpoint: SD1.5's own modules, made narrow.

Two numbers differ from what a loader would assume for SD1.5, and travel in the file's metadata (see `export.py`):

* `NORM_GROUPS` is 8, not 32. With 32 groups over 32 channels every channel is normalised alone, which removes its
  mean: a picture that is almost all background then loses the colour of the background.
* the picture is 128 pixels wide, not 512.

Heads follow SD1.5's rule: 8 in the UNet, width / 64 in the text encoder.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

PICTURE_SIZE = 128
NORM_GROUPS = 8
LATENT_SCALE = 0.18215
TEXT_WIDTH = 64
TEXT_LENGTH = 77
VOCABULARY = 49408
START_TOKEN, END_TOKEN = 49406, 49407
UNET_CHANNELS = (32, 64, 64, 64)
VAE_CHANNELS = (32, 32, 64, 64)


def make_vae() -> AutoencoderKL:
    """Build the autoencoder: four levels, so one latent cell is 8 x 8 pixels; four latent channels."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=VAE_CHANNELS,
        layers_per_block=2,
        latent_channels=4,
        norm_num_groups=NORM_GROUPS,
        sample_size=PICTURE_SIZE,
        scaling_factor=LATENT_SCALE,
    )


def make_unet() -> UNet2DConditionModel:
    """Build the denoiser, which predicts the noise in a latent."""
    return UNet2DConditionModel(
        block_out_channels=UNET_CHANNELS,
        layers_per_block=2,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=8,
        norm_num_groups=NORM_GROUPS,
        sample_size=PICTURE_SIZE // 8,
    )


def make_text_encoder() -> CLIPTextModel:
    """Build the text encoder: CLIP's vocabulary and positions, two narrow layers."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=VOCABULARY,
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=max(1, TEXT_WIDTH // 64),
            max_position_embeddings=TEXT_LENGTH,
            hidden_act="quick_gelu",
            projection_dim=TEXT_WIDTH,
            bos_token_id=START_TOKEN,
            eos_token_id=END_TOKEN,
            pad_token_id=END_TOKEN,
        )
    )


def noise_schedule() -> torch.Tensor:
    """Return SD1.5's cumulative alphas: float32 [1000], scaled-linear betas from 0.00085 to 0.012."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1.0 - betas, dim=0).float()
