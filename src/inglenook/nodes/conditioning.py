"""Prompts become conditioning: a list of `[context tensor, options]`."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor

from inglenook.errors import NodeError
from inglenook.models.handles import Clip, Vae
from inglenook.models.text.encode import encode_prompt
from inglenook.models.vae import encode_images
from inglenook.nodes.registry import node
from inglenook.nodes.vae import fit_to_vae, present_vae

logger = logging.getLogger(__name__)

Conditioning = list[list[Any]]

_PIXELS = 8
"""Of a latent pixel, as areas are given."""


@node("CLIPTextEncode")
def encode(text: str, clip: Clip | None) -> tuple[Conditioning]:
    encoded = encode_prompt(_present(clip), text)
    return ([[encoded.context, {"pooled_output": encoded.pooled}]],)


@node("CLIPSetLastLayer")
def set_last_layer(clip: Clip | None, stop_at_clip_layer: int) -> tuple[Clip]:
    return (_present(clip).stopped_at(stop_at_clip_layer),)


@node("ConditioningCombine")
def combine(conditioning_1: Conditioning, conditioning_2: Conditioning) -> tuple[Conditioning]:
    return ([*conditioning_1, *conditioning_2],)


@node("ConditioningConcat")
def concat(conditioning_to: Conditioning, conditioning_from: Conditioning) -> tuple[Conditioning]:
    if len(conditioning_from) > 1:
        logger.warning(
            "ConditioningConcat: conditioning_from has %d entries, the first is used", len(conditioning_from)
        )
    if not conditioning_from:
        raise NodeError("ConditioningConcat: conditioning_from is empty")
    added = conditioning_from[0][0]
    return ([[torch.cat((context, added), 1), dict(options)] for context, options in conditioning_to],)


@node("ConditioningAverage")
def average(
    conditioning_to: Conditioning, conditioning_from: Conditioning, conditioning_to_strength: float
) -> tuple[Conditioning]:
    """Between the first entry of one conditioning and each of the other, as long as the latter."""
    if len(conditioning_from) > 1:
        logger.warning(
            "ConditioningAverage: conditioning_from has %d entries, the first is used", len(conditioning_from)
        )
    if not conditioning_from:
        raise NodeError("ConditioningAverage: conditioning_from is empty")
    other, other_options = conditioning_from[0]
    averaged = []
    for context, options in conditioning_to:
        fitted = other[:, : context.shape[1]]
        if fitted.shape[1] < context.shape[1]:
            missing = context.shape[1] - fitted.shape[1]
            fitted = torch.cat((fitted, torch.zeros(1, missing, fitted.shape[2])), 1)
        mixed = {**options}
        pooled, other_pooled = options.get("pooled_output"), other_options.get("pooled_output")
        if pooled is not None and other_pooled is not None:
            mixed["pooled_output"] = torch.lerp(other_pooled, pooled, conditioning_to_strength)
        elif other_pooled is not None:
            mixed["pooled_output"] = other_pooled
        averaged.append([context * conditioning_to_strength + fitted * (1.0 - conditioning_to_strength), mixed])
    return (averaged,)


@node("ConditioningZeroOut")
def zero_out(conditioning: Conditioning) -> tuple[Conditioning]:
    return ([[torch.zeros_like(context), _zeroed(options)] for context, options in conditioning],)


def _zeroed(options: dict[str, Any]) -> dict[str, Any]:
    """The options with what else was made of the text set to zero."""
    zeros = {
        name: torch.zeros_like(options[name])
        for name in ("pooled_output", "conditioning_lyrics")
        if options.get(name) is not None
    }
    return {**options, **zeros}


@node("ConditioningSetArea")
def set_area(
    conditioning: Conditioning, width: int, height: int, x: int, y: int, strength: float
) -> tuple[Conditioning]:
    area = (height // _PIXELS, width // _PIXELS, y // _PIXELS, x // _PIXELS)
    return (with_options(conditioning, area=area, strength=strength, set_area_to_bounds=False),)


@node("ConditioningSetAreaPercentage")
def set_area_percentage(
    conditioning: Conditioning, width: float, height: float, x: float, y: float, strength: float
) -> tuple[Conditioning]:
    area = ("percentage", height, width, y, x)
    return (with_options(conditioning, area=area, strength=strength, set_area_to_bounds=False),)


@node("ConditioningSetAreaStrength")
def set_area_strength(conditioning: Conditioning, strength: float) -> tuple[Conditioning]:
    return (with_options(conditioning, strength=strength),)


@node("ConditioningSetMask")
def set_mask(conditioning: Conditioning, mask: Tensor, strength: float, set_cond_area: str) -> tuple[Conditioning]:
    bounds = set_cond_area != "default"
    mask = mask.reshape(-1, *mask.shape[-2:])
    return (with_options(conditioning, mask=mask, set_area_to_bounds=bounds, mask_strength=strength),)


@node("ConditioningSetTimestepRange")
def set_timestep_range(conditioning: Conditioning, start: float, end: float) -> tuple[Conditioning]:
    return (with_options(conditioning, start_percent=start, end_percent=end),)


@node("InpaintModelConditioning")
def inpaint_model_conditioning(
    positive: Conditioning, negative: Conditioning, vae: Vae | None, pixels: Tensor, mask: Tensor, noise_mask: bool
) -> tuple[Conditioning, Conditioning, dict[str, Any]]:
    """For models that see the picture with a hole: it goes along with the prompts."""
    pixels, mask = fit_to_vae(present_vae(vae), pixels, mask)
    hole = mask.round().movedim(1, -1)
    seen = encode_images(present_vae(vae), (pixels - 0.5) * (1.0 - hole) + 0.5)
    latent: dict[str, Any] = {"samples": encode_images(present_vae(vae), pixels)}
    if noise_mask:
        latent["noise_mask"] = mask
    both = (with_options(one, concat_latent_image=seen, concat_mask=mask) for one in (positive, negative))
    return (*both, latent)  # type: ignore[return-value]


def with_options(conditioning: Conditioning, **options: Any) -> Conditioning:
    """The same entries with other options."""
    return [[context, {**before, **options}] for context, before in conditioning]


def _present(clip: Clip | None) -> Clip:
    if clip is None:
        raise NodeError("the checkpoint has no text encoder; load one with CLIPLoader or take another checkpoint")
    return clip
