"""Conditioning and guidance: how the predictions for several prompts become one.

Conditioning is ComfyUI's list of `[tensor, options]`. All its entries are predicted and averaged by their strength; the
negative prompt's average is then pushed away from (Ho & Salimans 2022, classifier-free guidance).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from inglenook.errors import NodeError
from inglenook.models.handles import LoadedModel, Model
from inglenook.models.memory import is_out_of_memory

if TYPE_CHECKING:
    from inglenook.models.sampling.samplers import Sampler

Conditioning = Sequence[Sequence[Any]]
"""Entries `[context [1 or batch, tokens, width], options]`."""


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """One entry of a conditioning, ready for the network."""

    context: Tensor
    strength: float = 1.0


class Guider(Protocol):
    """What decides how a model's predictions are combined."""

    @property
    def model(self) -> Model: ...

    def prepare(self, batch: int) -> Guidance:
        """Bring the conditioning to the device, for a latent of `batch` items."""


@dataclass(frozen=True, slots=True, eq=False)
class CfgGuider:
    """Classifier-free guidance; without a negative prompt, or with cfg 1, the positive prompt alone."""

    model: Model
    positive: Conditioning
    negative: Conditioning | None = None
    cfg: float = 1.0

    def prepare(self, batch: int) -> Guidance:
        width = batch, self.model.device
        return Guidance(
            _conditions(self.positive, *width),
            () if self.negative is None else _conditions(self.negative, *width),
            self.cfg,
        )

    # For node packs. Sampling imports this module, so that it is imported late here.

    @property
    def model_patcher(self) -> Model:
        return self.model

    def sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        sampler: Sampler,
        sigmas: Tensor,
        denoise_mask: Tensor | None = None,
        callback: Callable[[int, Tensor, Tensor, int], object] | None = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        """See `loop.sample_with_callback`."""
        from inglenook.models.sampling.loop import sample_with_callback

        return sample_with_callback(self, sampler, sigmas, noise, latent_image, denoise_mask, callback, seed)


@dataclass(frozen=True, slots=True, eq=False)
class Guidance:
    """Conditioning on the device, and how to combine what it leads to."""

    positive: Sequence[Condition]
    negative: Sequence[Condition]
    cfg: float

    def denoise(self, model: LoadedModel, x: Tensor, sigma: Tensor) -> Tensor:
        """The clean latent in `x`; `sigma` is a scalar."""
        if math.isclose(self.cfg, 1.0) or not self.negative:
            (positive,) = predict(model, x, sigma, [self.positive])
            return positive
        return self.denoise_both(model, x, sigma)[0]

    def denoise_both(self, model: LoadedModel, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """The clean latent, and the one of the negative prompt alone (zeros without one)."""
        if not self.negative:
            (positive,) = predict(model, x, sigma, [self.positive])
            return positive, torch.zeros_like(x)
        positive, negative = predict(model, x, sigma, [self.positive, self.negative])
        return negative + (positive - negative) * self.cfg, negative


def predict(model: LoadedModel, x: Tensor, sigma: Tensor, groups: Sequence[Sequence[Condition]]) -> list[Tensor]:
    """For each group of conditions its average prediction. Conditions of equal length are evaluated in one batch."""
    flat = [condition for group in groups for condition in group]
    outputs: list[Tensor | None] = [None] * len(flat)
    for numbers in _by_length(flat):
        contexts = [flat[number].context for number in numbers]
        for number, output in zip(numbers, _evaluate(model, x, sigma, contexts), strict=True):
            outputs[number] = output
    results = []
    position = 0
    for group in groups:
        parts = [output for output in outputs[position : position + len(group)] if output is not None]
        position += len(group)
        results.append(_average(parts, [condition.strength for condition in group]))
    return results


def _evaluate(model: LoadedModel, x: Tensor, sigma: Tensor, contexts: Sequence[Tensor]) -> Sequence[Tensor]:
    count = len(contexts)
    try:
        return model.denoise(x.repeat(count, *(1,) * (x.ndim - 1)), sigma, torch.cat(list(contexts))).chunk(count)
    except RuntimeError as error:
        if count == 1 or not is_out_of_memory(error):
            raise
    return [part for context in contexts for part in _evaluate(model, x, sigma, [context])]


def _average(outputs: Sequence[Tensor], strengths: Sequence[float]) -> Tensor:
    if len(outputs) == 1:
        return outputs[0]
    total = outputs[0] * strengths[0]
    for output, strength in zip(outputs[1:], strengths[1:], strict=True):
        total = total + output * strength
    return total / sum(strengths)


def _by_length(conditions: Sequence[Condition]) -> list[list[int]]:
    """Positions of the conditions, those of equal context length together."""
    lengths: dict[int, list[int]] = {}
    for number, condition in enumerate(conditions):
        lengths.setdefault(condition.context.shape[1], []).append(number)
    return list(lengths.values())


def _conditions(conditioning: Conditioning, batch: int, device: torch.device) -> list[Condition]:
    if not conditioning:
        raise NodeError("conditioning is empty; connect the output of a CLIPTextEncode node")
    return [
        Condition(_to_batch(context, batch).to(device), float(options.get("strength", 1.0)))
        for context, options in conditioning
    ]


def _to_batch(tensor: Tensor, batch: int) -> Tensor:
    """Repeat, or cut, along the first dimension."""
    if tensor.shape[0] < batch:
        tensor = tensor.repeat(math.ceil(batch / tensor.shape[0]), *(1,) * (tensor.ndim - 1))
    return tensor[:batch]
