"""Prompts become conditioning: a list of `[context tensor, options]`."""

from __future__ import annotations

import logging
from typing import Any

import torch

from inglenook.errors import NodeError
from inglenook.models.handles import Clip
from inglenook.models.text.encode import encode_prompt
from inglenook.nodes.registry import node

logger = logging.getLogger(__name__)

Conditioning = list[list[Any]]


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


def _present(clip: Clip | None) -> Clip:
    if clip is None:
        raise NodeError("the checkpoint has no text encoder; load one with CLIPLoader or take another checkpoint")
    return clip
