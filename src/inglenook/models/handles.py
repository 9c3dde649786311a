"""What nodes pass around: a model, a text encoder, a VAE. Immutable, cheap to copy with a change, not loaded yet.

Some methods are here for node packs alone, which know them from ComfyUI's objects (`clone`, `tokenize`, `decode`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from inglenook.errors import NodeError
from inglenook.models.detect import identify, identify_vae
from inglenook.models.families.family import DiffusionPart, LatentFormat, TextPart, VaePart
from inglenook.models.files import TensorFile, open_tensors
from inglenook.models.load import compute_dtype
from inglenook.models.memory import ModelStore
from inglenook.models.model_options import UNPATCHED, ModelOptions
from inglenook.models.sampling.prediction import Prediction, SigmaTable
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

    # For node packs

    load_device = device

    @property
    def offload_device(self) -> torch.device:
        return torch.device("cpu")

    @property
    def model(self) -> Model:
        """Itself: packs look there for `latent_format`, `model_sampling` and `process_latent_out`."""
        return self

    @property
    def model_sampling(self) -> SigmaTable:
        return self.prediction.table

    @property
    def latent_format(self) -> LatentFormat:
        return self.latent

    def process_latent_in(self, latent: Tensor) -> Tensor:
        """A latent as the network knows it."""
        return latent * self.latent.scale

    def process_latent_out(self, latent: Tensor) -> Tensor:
        """A latent as nodes pass it around."""
        return latent / self.latent.scale

    @property
    def model_options(self) -> ModelOptions:
        """Empty, and so that a patch is an error; samplers of packs hand it on."""
        return UNPATCHED

    def clone(self) -> Model:
        """A copy; the weights are shared."""
        return replace(self)

    def get_model_object(self, name: str) -> Any:
        """`model_sampling`: the table of noise levels; `latent_format`: how latents look. Raises NodeError."""
        match name:
            case "model_sampling":
                return self.prediction.table
            case "latent_format":
                return self.latent
        raise NodeError(f"inglenook's models have no object {name!r}: model_sampling and latent_format are there")

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
    is_clone: bool = False
    """Made by `clone`: whoever did may change it."""

    def stopped_at(self, layer: int) -> Clip:
        """The same encoder, read at another layer."""
        return replace(self, stop_at_layer=layer, is_clone=False)

    # For node packs. What encodes imports this module, so that it is imported late here.

    def clone(self) -> Clip:
        """A copy whose layer may be chosen with `clip_layer`; the weights are shared."""
        return replace(self, is_clone=True)

    def clip_layer(self, layer_idx: int) -> None:
        """Read a clone at another layer. Raises NodeError for a handle that others hold, too."""
        if not self.is_clone:
            raise NodeError("clip_layer() would change the CLIP of other nodes: call clone() first")
        object.__setattr__(self, "stop_at_layer", layer_idx)

    def tokenize(self, text: str, return_word_ids: bool = False) -> dict[str, list[list[tuple[Any, ...]]]]:
        """`{"l": chunks}`, a chunk being a list of (token or vector, weight), with `return_word_ids` also the word."""
        from inglenook.models.text.encode import chunks_of

        return {
            "l": [
                [(token.value, token.weight, token.word)[: 3 if return_word_ids else 2] for token in chunk]
                for chunk in chunks_of(self, text)
            ]
        }

    def encode_from_tokens(
        self, tokens: Mapping[str, Sequence[Any]], return_pooled: bool = False, return_dict: bool = False
    ) -> Any:
        """The context [1, tokens, width]; or it and the pooled state; or both in a dict. Raises NodeError."""
        from inglenook.models.text.encode import encode_chunks
        from inglenook.models.text.prompt import Token

        chunks = tokens.get("l")
        if not chunks:
            raise NodeError(f"this CLIP takes tokens under 'l', there are {', '.join(tokens) or 'none'}")
        encoded = encode_chunks(
            self, [tuple(Token(value, float(weight)) for value, weight, *_ in chunk) for chunk in chunks]
        )
        if return_dict:
            return {"cond": encoded.context, "pooled_output": encoded.pooled}
        return (encoded.context, encoded.pooled) if return_pooled else encoded.context

    def encode_from_tokens_scheduled(
        self,
        tokens: Mapping[str, Sequence[Any]],
        unprojected: bool = False,
        add_dict: Mapping[str, Any] | None = None,
        show_pbar: bool = True,
    ) -> list[list[Any]]:
        """A conditioning with one entry; `add_dict` joins its options. There are no schedules of hooks here."""
        context, pooled = self.encode_from_tokens(tokens, return_pooled=True)
        return [[context, {"pooled_output": pooled, **(add_dict or {})}]]

    def encode(self, text: str) -> Tensor:
        """The context of a prompt."""
        context: Tensor = self.encode_from_tokens(self.tokenize(text))
        return context


@dataclass(frozen=True, slots=True, eq=False)
class Vae:
    """An autoencoder."""

    part: VaePart
    store: ModelStore

    # For node packs. What decodes imports this module, so that it is imported late here.

    @property
    def latent_channels(self) -> int:
        return self.part.channels

    @property
    def downscale_ratio(self) -> int:
        """Pixels of a picture per latent pixel, each way."""
        return self.part.pixels

    upscale_ratio = downscale_ratio

    @property
    def device(self) -> torch.device:
        return self.store.device

    @property
    def output_device(self) -> torch.device:
        return torch.device("cpu")

    def spacial_compression_decode(self) -> int:
        return self.part.pixels

    def spacial_compression_encode(self) -> int:
        return self.part.pixels

    def temporal_compression_decode(self) -> None:
        """None: it knows pictures only."""

    def decode(self, samples_in: Tensor, vae_options: Mapping[str, Any] | None = None) -> Tensor:
        """See `models.vae.decode_latents`."""
        from inglenook.models.vae import decode_latents

        return decode_latents(self, samples_in)

    def decode_tiled(
        self,
        samples: Tensor,
        tile_x: int | None = None,
        tile_y: int | None = None,
        overlap: int | None = None,
        tile_t: int | None = None,
        overlap_t: int | None = None,
    ) -> Tensor:
        """The same in tiles; sizes in latent pixels, those of time (`_t`) mean nothing to pictures."""
        from inglenook.models.vae import Tiling, decode_latents

        return decode_latents(self, samples, Tiling.of(tile_x, tile_y, overlap))

    def encode(self, pixel_samples: Tensor) -> Tensor:
        """See `models.vae.encode_images`."""
        from inglenook.models.vae import encode_images

        return encode_images(self, pixel_samples)

    def encode_tiled(
        self,
        pixel_samples: Tensor,
        tile_x: int | None = None,
        tile_y: int | None = None,
        overlap: int | None = None,
        tile_t: int | None = None,
        overlap_t: int | None = None,
    ) -> Tensor:
        """The same in tiles; sizes in pixels of the picture, those of time (`_t`) mean nothing here."""
        from inglenook.models.vae import Tiling, encode_images

        return encode_images(self, pixel_samples, Tiling.of(tile_x, tile_y, overlap, unit=self.part.pixels))


def load_checkpoint(path: Path, store: ModelStore, embeddings: Embeddings) -> tuple[Model, Clip | None, Vae | None]:
    """Handles of everything that a checkpoint holds: takes milliseconds, the weights stay in the file.

    Raises ModelError when the file is damaged or of an unknown kind.
    """
    return checkpoint_of(open_tensors(path), store, embeddings)


def checkpoint_of(file: TensorFile, store: ModelStore, embeddings: Embeddings) -> tuple[Model, Clip | None, Vae | None]:
    """The same of an open file."""
    checkpoint = identify(file)
    model = Model(checkpoint.diffusion, store, checkpoint.diffusion.prediction)
    clip = None if checkpoint.text is None else Clip(checkpoint.text, store, embeddings)
    vae = None if checkpoint.vae is None else Vae(checkpoint.vae, store)
    return model, clip, vae


def load_vae(path: Path, store: ModelStore) -> Vae:
    """The handle of a VAE, from a file of its own or out of a checkpoint. Raises ModelError."""
    return vae_of(open_tensors(path), store)


def vae_of(file: TensorFile, store: ModelStore) -> Vae:
    """The handle of the VAE in an open file. Raises ModelError."""
    return Vae(identify_vae(file), store)
