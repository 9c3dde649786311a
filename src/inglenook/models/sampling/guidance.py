"""Conditioning and guidance: how the predictions for several prompts become one.

Conditioning is ComfyUI's list of `[tensor, options]`. All its entries that count at a step are predicted, each where
it counts (`regions`), and averaged by their strength; the negative prompt's average is then pushed away from (Ho &
Salimans 2022, classifier-free guidance).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from inglenook.errors import NodeError
from inglenook.models.handles import LoadedModel, Model
from inglenook.models.memory import is_out_of_memory
from inglenook.models.sampling.regions import ALWAYS, EVERYWHERE, Levels, Region

if TYPE_CHECKING:
    from inglenook.models.sampling.samplers import Sampler

Conditioning = Sequence[Sequence[Any]]
"""Entries `[context [1 or batch, tokens, width], options]`."""


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """One entry of a conditioning, ready for the network."""

    context: Tensor
    strength: float = 1.0
    region: Region = EVERYWHERE
    levels: Levels = ALWAYS


class Guider(Protocol):
    """What decides how a model's predictions are combined."""

    @property
    def model(self) -> Model: ...

    def prepare(self, shape: Sequence[int]) -> Guidance:
        """Bring the conditioning to the device, for a latent of this shape, [batch, channels, h, w]."""


@dataclass(frozen=True, slots=True, eq=False)
class CfgGuider:
    """Classifier-free guidance; without a negative prompt, or with cfg 1, the positive prompt alone."""

    model: Model
    positive: Conditioning
    negative: Conditioning | None = None
    cfg: float = 1.0

    def prepare(self, shape: Sequence[int]) -> Guidance:
        positive = _conditions(self.positive, shape, self.model)
        negative = [] if self.negative is None else _conditions(self.negative, shape, self.model)
        if negative:
            _oppose(positive, negative)
            _oppose(negative, positive)
        return Guidance(positive, negative, self.cfg)

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
    """For each group of conditions its average prediction: zeros where none counts.

    Conditions of equal length about areas of equal size are evaluated in one batch.
    """
    level = float(sigma.flatten()[0])
    groups = [[condition for condition in group if condition.levels.hold(level)] for group in groups]
    flat = [condition for group in groups for condition in group]
    outputs: dict[int, Tensor] = {}
    for numbers in _alike(flat):
        parts = [_seen(flat[number], x) for number in numbers]
        contexts = [flat[number].context for number in numbers]
        outputs.update(zip(numbers, _evaluate(model, parts, sigma, contexts), strict=True))
    results = []
    position = 0
    for group in groups:
        results.append(_average(x, group, [outputs[position + number] for number in range(len(group))]))
        position += len(group)
    return results


def _seen(condition: Condition, x: Tensor) -> Tensor:
    area = condition.region.area
    return x if area is None else area.cut(x)


def _evaluate(
    model: LoadedModel, parts: Sequence[Tensor], sigma: Tensor, contexts: Sequence[Tensor]
) -> Sequence[Tensor]:
    count = len(contexts)
    try:
        return model.denoise(torch.cat(list(parts)), sigma, torch.cat(list(contexts))).chunk(count)
    except RuntimeError as error:
        if count == 1 or not is_out_of_memory(error):
            raise
    pairs = zip(parts, contexts, strict=True)
    return [output for part, context in pairs for output in _evaluate(model, [part], sigma, [context])]


_ALMOST_NOTHING = 1e-37
"""What keeps the average of a place that no entry is about from being no number."""


def _average(x: Tensor, conditions: Sequence[Condition], outputs: Sequence[Tensor]) -> Tensor:
    if any(condition.region.weight is not None for condition in conditions) or not conditions:
        return _average_of_regions(x, conditions, outputs)
    if len(outputs) == 1:
        return outputs[0]
    strengths = [condition.strength for condition in conditions]
    total = outputs[0] * strengths[0]
    for output, strength in zip(outputs[1:], strengths[1:], strict=True):
        total = total + output * strength
    return total / sum(strengths)


def _average_of_regions(x: Tensor, conditions: Sequence[Condition], outputs: Sequence[Tensor]) -> Tensor:
    total = torch.zeros_like(x)
    weights = torch.full_like(x, _ALMOST_NOTHING)
    for condition, output in zip(conditions, outputs, strict=True):
        weight: Tensor | float = condition.strength
        if condition.region.weight is not None:
            weight = condition.region.weight * weight
        _seen(condition, total).add_(output * weight)
        _seen(condition, weights).add_(weight)
    return total / weights


def _alike(conditions: Sequence[Condition]) -> list[list[int]]:
    """Positions of the conditions, those together that fit into one batch."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for number, condition in enumerate(conditions):
        area = condition.region.area
        size = () if area is None else (area.height, area.width)
        alike.setdefault((condition.context.shape[1], *size), []).append(number)
    return list(alike.values())


def _oppose(conditions: Sequence[Condition], others: list[Condition]) -> None:
    """For each area of `conditions` that `others` does not have, add the entry there that is about it, cut to it.

    Otherwise a prompt of an area would be pushed away from what the other prompt says of the whole picture.
    """
    for condition in conditions:
        area = condition.region.area
        if area is None:
            continue
        around = [other for other in others if other.region.area is not None and area.lies_in(other.region.area)]
        whole = [other for other in others if other.region.area is None]
        smallest = min(around, key=_size) if around else whole[0] if whole else None
        if smallest is not None and smallest.region.area != area:
            others.append(replace(condition, context=smallest.context))


def _size(condition: Condition) -> int:
    area = condition.region.area
    return 0 if area is None else area.height * area.width


def _conditions(conditioning: Conditioning, shape: Sequence[int], model: Model) -> list[Condition]:
    if not conditioning:
        raise NodeError("conditioning is empty; connect the output of a CLIPTextEncode node")
    return [
        Condition(
            _to_batch(context, shape[0]).to(model.device),
            float(options.get("strength", 1.0)),
            Region.of(options, shape, model.device),
            Levels.of(options, model.prediction.table),
        )
        for context, options in conditioning
    ]


def _to_batch(tensor: Tensor, batch: int) -> Tensor:
    """Repeat, or cut, along the first dimension."""
    if tensor.shape[0] < batch:
        tensor = tensor.repeat(math.ceil(batch / tensor.shape[0]), *(1,) * (tensor.ndim - 1))
    return tensor[:batch]
