"""Finding out what a weights file is, from its key names and shapes alone."""

from __future__ import annotations

from collections.abc import Callable

from inglenook.errors import ModelError
from inglenook.models.families import sd
from inglenook.models.families.autoencoder import find_autoencoder
from inglenook.models.families.family import Checkpoint, VaePart
from inglenook.models.files import TensorFile

FAMILIES: tuple[Callable[[TensorFile], Checkpoint | None], ...] = (sd.read_checkpoint,)
"""The readers of all families; the first that knows a file has it."""

_HINTS = (
    ("conditioner.embedders.", "an SDXL checkpoint, which is not supported yet"),
    ("model.diffusion_model.label_emb.", "an SDXL diffusion model, which is not supported yet"),
    ("cond_stage_model.model.", "a Stable Diffusion 2 checkpoint, which is not supported yet"),
    ("model.diffusion_model.joint_blocks.", "a Stable Diffusion 3 checkpoint, which is not supported yet"),
    ("model.diffusion_model.double_blocks.", "a Flux checkpoint, which is not supported yet"),
    ("double_blocks.", "a Flux diffusion model, which is not supported yet"),
    ("lora_", "a LoRA; load it with LoraLoader"),
    ("control_model.", "a ControlNet; load it with ControlNetLoader"),
    ("input_hint_block.", "a ControlNet; load it with ControlNetLoader"),
    ("first_stage_model.", "a VAE; load it with VAELoader"),
    ("decoder.", "a VAE; load it with VAELoader"),
    ("text_model.", "a text encoder; load it with CLIPLoader"),
    ("emb_params", "a textual-inversion embedding; put it into the embeddings folder and write embedding:name"),
    ("string_to_param", "a textual-inversion embedding; put it into the embeddings folder and write embedding:name"),
    ("latent_tensor", "a saved latent; load it with LoadLatent"),
)


def identify(file: TensorFile) -> Checkpoint:
    """The parts of a checkpoint. Raises ModelError that says what the file looks like instead."""
    for read in FAMILIES:
        checkpoint = read(file)
        if checkpoint is not None:
            return checkpoint
    raise ModelError(f"{file.name} is no checkpoint that inglenook knows: it looks like {describe(file)}")


def identify_vae(file: TensorFile) -> VaePart:
    """The autoencoder of a file. Raises ModelError that says what the file looks like instead."""
    part = find_autoencoder(file)
    if part is None:
        raise ModelError(f"{file.name} is no VAE that inglenook knows: it looks like {describe(file)}")
    return part


def describe(file: TensorFile) -> str:
    """What a file looks like, for a message."""
    for prefix, hint in _HINTS:
        if any(key.startswith(prefix) for key in file.tensors):
            return hint
    keys = sorted(file.tensors)
    return f"{len(keys)} tensors, the first of them {keys[0]}"
