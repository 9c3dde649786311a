"""How the output of a model is read."""

from __future__ import annotations

from inglenook.models.handles import Model
from inglenook.models.sampling.prediction import Kind, linear_prediction
from inglenook.nodes.registry import node


@node("ModelSamplingDiscrete")
def discrete(model: Model, sampling: Kind, zsnr: bool) -> tuple[Model]:
    return (model.with_prediction(linear_prediction(sampling, zero_terminal=zsnr)),)
