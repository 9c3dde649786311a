"""`comfy.sd`: model files and weights as handles (`models.handles`), which nodes and packs pass around."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inglenook.errors import NodeError
from inglenook.models.files import TensorFile, from_tensors, open_tensors
from inglenook.models.handles import Clip, Model, Vae, checkpoint_of, vae_of
from inglenook.models.model_options import refuse_options
from inglenook.models.text.embeddings import Embeddings
from inglenook.nodes.environment import environment

Loaded = tuple[Model | None, Clip | None, Vae | None, None]
"""Model, text encoder, autoencoder; the fourth place is for an image encoder, which no checkpoint here has."""
_IN_MEMORY = "weights in memory"


def load_checkpoint_guess_config(
    ckpt_path: str,
    output_vae: bool = True,
    output_clip: bool = True,
    output_clipvision: bool = False,
    embedding_directory: str | Iterable[str] | None = None,
    output_model: bool = True,
    model_options: Mapping[str, Any] | None = None,
    te_model_options: Mapping[str, Any] | None = None,
) -> Loaded:
    """What a checkpoint holds; None for what it lacks and for what is not wanted. Raises ModelError."""
    refuse_options(model_options)
    refuse_options(te_model_options)
    return _parts(open_tensors(Path(ckpt_path)), output_model, output_clip, output_vae, embedding_directory)


def load_state_dict_guess_config(
    sd: Mapping[str, Tensor],
    output_vae: bool = True,
    output_clip: bool = True,
    output_clipvision: bool = False,
    embedding_directory: str | Iterable[str] | None = None,
    output_model: bool = True,
    model_options: Mapping[str, Any] | None = None,
    te_model_options: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Loaded:
    """The same for the weights of a checkpoint in memory."""
    refuse_options(model_options)
    refuse_options(te_model_options)
    file = from_tensors(sd, metadata or {}, _IN_MEMORY)
    return _parts(file, output_model, output_clip, output_vae, embedding_directory)


def load_checkpoint(
    config_path: str | None = None,
    ckpt_path: str | None = None,
    output_vae: bool = True,
    output_clip: bool = True,
    embedding_directory: str | Iterable[str] | None = None,
    state_dict: Mapping[str, Tensor] | None = None,
    config: object = None,
) -> tuple[Model | None, Clip | None, Vae | None]:
    """The same with an older list of arguments. What the weights say counts, not `config_path`."""
    if state_dict is not None:
        file = from_tensors(state_dict, {}, _IN_MEMORY)
    elif ckpt_path is not None:
        file = open_tensors(Path(ckpt_path))
    else:
        raise NodeError("load_checkpoint needs ckpt_path or state_dict")
    return _parts(file, True, output_clip, output_vae, embedding_directory)[:3]


def _parts(
    file: TensorFile,
    output_model: bool,
    output_clip: bool,
    output_vae: bool,
    embedding_directory: str | Iterable[str] | None,
) -> Loaded:
    folders = [embedding_directory] if isinstance(embedding_directory, str) else embedding_directory or ()
    embeddings = Embeddings([Path(folder) for folder in folders])
    model, clip, vae = checkpoint_of(file, environment().models, embeddings)
    return model if output_model else None, clip if output_clip else None, vae if output_vae else None, None


class _VaeType(type):
    """Lets `VAE(sd=...)` make a handle, and every handle be an instance of `VAE`."""

    def __call__(
        cls,
        sd: Mapping[str, Tensor] | None = None,
        device: torch.device | None = None,
        config: object = None,
        dtype: torch.dtype | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Vae:
        if sd is None:
            raise NodeError("VAE() needs the weights: VAE(sd=comfy.utils.load_torch_file(path))")
        if device is not None or dtype is not None or config is not None:
            raise NodeError("VAE() takes no device, dtype or config: inglenook chooses them")
        return vae_of(from_tensors(sd, metadata or {}, _IN_MEMORY), environment().models)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Vae)


class VAE(metaclass=_VaeType):
    """`VAE(sd=weights, metadata=...)` is a `models.handles.Vae`. Raises ModelError for weights that are none."""
