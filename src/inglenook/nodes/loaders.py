"""Model files become handles; their weights stay in the file until they are used."""

from __future__ import annotations

from inglenook.models.handles import Clip, Model, Vae, load_checkpoint, load_vae
from inglenook.models.text.embeddings import Embeddings
from inglenook.nodes.environment import environment
from inglenook.nodes.registry import node


def _identity(folder: str, name: str) -> list[int]:
    """What tells a file from one that replaces it: a cached handle maps the old one."""
    status = environment().folders.find(folder, name).stat()
    return [status.st_ino, status.st_mtime_ns, status.st_size]


@node("CheckpointLoaderSimple", fingerprint=lambda ckpt_name: _identity("checkpoints", ckpt_name))
def load_checkpoint_simple(ckpt_name: str) -> tuple[Model, Clip | None, Vae | None]:
    path = environment().folders.find("checkpoints", ckpt_name)
    return load_checkpoint(path, environment().models, _embeddings())


@node("VAELoader", fingerprint=lambda vae_name: _identity("vae", vae_name))
def load_vae_file(vae_name: str) -> tuple[Vae]:
    return (load_vae(environment().folders.find("vae", vae_name), environment().models),)


def _embeddings() -> Embeddings:
    folder = environment().folders.model_folder("embeddings")
    return Embeddings(() if folder is None else folder.paths)
