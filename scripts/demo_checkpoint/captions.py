"""Captions as token ids, the way every SD1.5 text encoder reads them."""

from __future__ import annotations

import torch
from architecture import END_TOKEN, START_TOKEN, TEXT_LENGTH
from torch import Tensor

from inglenook.models.text.bpe import tokenize


def encode_captions(captions: list[str]) -> Tensor:
    """Return token ids: int64 [n, 77]; start, words, then the end token up to the last place."""
    rows = []
    for caption in captions:
        row = [START_TOKEN, *tokenize(caption)[: TEXT_LENGTH - 2]]
        rows.append(row + [END_TOKEN] * (TEXT_LENGTH - len(row)))
    return torch.tensor(rows)
