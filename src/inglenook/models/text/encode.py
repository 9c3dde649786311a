"""From a prompt to the tensor that a diffusion model is conditioned on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from inglenook.models.handles import Clip
from inglenook.models.text.bpe import tokenize
from inglenook.models.text.prompt import Chunk, Token, tokenize_prompt


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What a prompt became, float32 on the CPU."""

    context: Tensor
    """[1, tokens, width]; `tokens` is the chunk length times the number of chunks."""
    pooled: Tensor
    """[1, width], of the first chunk."""


def encode_prompt(clip: Clip, prompt: str) -> Encoded:
    """Encode a prompt with its weights, chunk by chunk.

    A weight moves a token's vector away from, or towards, the vector that an empty prompt has in the same place.
    """
    return encode_chunks(clip, chunks_of(clip, prompt))


def chunks_of(clip: Clip, prompt: str) -> list[Chunk]:
    """The tokens of a prompt, as the encoder reads them."""
    return tokenize_prompt(prompt, tokenize, clip.part.shape, lambda name: clip.embeddings.find(name, clip.part.width))


def encode_chunks(clip: Clip, chunks: Sequence[Chunk]) -> Encoded:
    """Encode the tokens of a prompt, at least one chunk; see `encode_prompt`."""
    is_weighted = any(token.weight != 1.0 for chunk in chunks for token in chunk)
    batch = [*chunks, *([_empty(clip)] if is_weighted else [])]
    with torch.inference_mode(), clip.store.use(clip.part.network) as module:
        hidden, pooled = _run(module, batch, clip)
    if is_weighted:
        hidden = _weighted(hidden, chunks)
    # A copy, so that the tensors may leave inference mode.
    return Encoded(hidden.reshape(1, -1, hidden.shape[-1]).cpu().clone(), pooled[:1].cpu().clone())


def _empty(clip: Clip) -> Chunk:
    (chunk,) = tokenize_prompt("", tokenize, clip.part.shape)
    return chunk


def _weighted(hidden: Tensor, chunks: Sequence[Chunk]) -> Tensor:
    """Apply the weights; the last item of `hidden` is the empty prompt's, and is left out of the result."""
    weights = torch.tensor([[token.weight for token in chunk] for chunk in chunks], device=hidden.device)[..., None]
    empty = hidden[-1]
    weighted = (hidden[:-1] - empty) * weights + empty
    return torch.where(weights == 1.0, hidden[:-1], weighted)


def _run(module: Any, chunks: Sequence[Chunk], clip: Clip) -> tuple[Tensor, Tensor]:
    """The hidden states of the wanted layer, normalised, and the pooled state of the last, for each chunk.

    The embedding and the layers are called one by one, since vectors of embeddings stand among the tokens.
    """
    vectors = torch.stack([_vectors(module, chunk) for chunk in chunks])
    vectors = vectors + module.embeddings.position_embedding.weight[: vectors.shape[1]]
    length = vectors.shape[1]
    mask = torch.full((length, length), float("-inf"), device=vectors.device, dtype=vectors.dtype).triu_(1)
    layers = module.encoder.layers
    wanted = len(layers) + max(-len(layers), -1 if clip.stop_at_layer is None else clip.stop_at_layer)
    hidden = chosen = vectors
    for number, layer in enumerate(layers):
        hidden = layer(hidden, attention_mask=mask[None, None])
        if number == wanted:
            chosen = hidden
    last = module.final_layer_norm(hidden)
    ends = torch.tensor([_end(chunk, clip.part.shape.end) for chunk in chunks], device=hidden.device)
    return module.final_layer_norm(chosen), last[torch.arange(len(chunks), device=hidden.device), ends]


def _vectors(module: Any, chunk: Chunk) -> Tensor:
    embedding = module.embeddings.token_embedding
    numbers = [token.value if isinstance(token.value, int) else 0 for token in chunk]
    vectors: Tensor = embedding(torch.tensor(numbers, device=embedding.weight.device))
    for position, token in enumerate(chunk):
        if isinstance(token.value, Tensor):
            vectors[position] = token.value.to(vectors)
    return vectors


def _end(chunk: Sequence[Token], end: int) -> int:
    """The position of the first end token."""
    return next(position for position, token in enumerate(chunk) if isinstance(token.value, int) and token.value == end)
