"""What nodes pass around: a model, a text encoder, a VAE. Immutable, cheap to copy with a change, not loaded yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from inglenook.models.detect import identify, identify_vae
from inglenook.models.families.family import DiffusionPart, LatentFormat, TextPart, VaePart
from inglenook.models.files import open_tensors
from inglenook.models.load import compute_dtype
from inglenook.models.memory import ModelStore
from inglenook.models.sampling.prediction import Prediction
from inglenook.models.text.embeddings import Embeddings


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A diffusion model with the prediction that it is to be sampled with."""

    part: DiffusionPart
    store: ModelStore
    prediction: Prediction

    @property
    def latent(self) -> LatentFormat:
        return self.part.latent

    @property
    def device(self) -> torch.device:
        return self.store.device

    def with_prediction(self, prediction: Prediction) -> Model:
        """The same model, its output read in another way."""
        return replace(self, prediction=prediction)

    @contextmanager
    def loaded(self) -> Iterator[LoadedModel]:
        """The model on its device for the length of a `with` block."""
        with self.store.use(self.part.network) as module:
            yield LoadedModel(self, module, compute_dtype(self.part.network, self.device))


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model whose weights are on the device."""

    model: Model
    module: nn.Module
    dtype: torch.dtype

    def denoise(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        """The clean latent that the network sees in `x`, float32.

        x: [batch, channels, h, w], scaled; sigma: a scalar on the CPU (nothing waits for a GPU then), or [batch];
        context: [batch, tokens, width].
        """
        prediction = self.model.prediction
        scaled = prediction.scaled_input(x, sigma).to(self.dtype)
        timestep = prediction.table.timestep(sigma).float().expand(x.shape[0]).to(x.device)
        output = self.model.part.forward(self.module, scaled, timestep, context.to(self.dtype))
        return prediction.denoised(x, output.float(), sigma)


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A text encoder; `stop_at_layer` -1 is its last layer, -2 the one before (clip skip), None its default."""

    part: TextPart
    store: ModelStore
    embeddings: Embeddings
    stop_at_layer: int | None = None

    def stopped_at(self, layer: int) -> Clip:
        """The same encoder, read at another layer."""
        return replace(self, stop_at_layer=layer)


@dataclass(frozen=True, slots=True, eq=False)
class Vae:
    """An autoencoder."""

    part: VaePart
    store: ModelStore


def load_checkpoint(path: Path, store: ModelStore, embeddings: Embeddings) -> tuple[Model, Clip | None, Vae | None]:
    """Handles of everything that a checkpoint holds: takes milliseconds, the weights stay in the file.

    Raises ModelError when the file is damaged or of an unknown kind.
    """
    checkpoint = identify(open_tensors(path))
    model = Model(checkpoint.diffusion, store, checkpoint.diffusion.prediction)
    clip = None if checkpoint.text is None else Clip(checkpoint.text, store, embeddings)
    vae = None if checkpoint.vae is None else Vae(checkpoint.vae, store)
    return model, clip, vae


def load_vae(path: Path, store: ModelStore) -> Vae:
    """The handle of a VAE, from a file of its own or out of a checkpoint. Raises ModelError."""
    return Vae(identify_vae(open_tensors(path)), store)
