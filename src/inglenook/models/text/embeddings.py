"""Textual-inversion embeddings: vectors in files of the embeddings folders, called by name in a prompt."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from inglenook.errors import ModelError
from inglenook.models.files import TensorFile, open_tensors

logger = logging.getLogger(__name__)

SUFFIXES = ("", ".safetensors", ".pt", ".bin")
_KEYS = ("emb_params", "string_to_param.*", "clip_l")
"""Where the vectors stand: webui's safetensors, webui's pickles, files for several encoders (SDXL)."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The embeddings of some folders."""

    folders: Sequence[Path] = ()

    def find(self, name: str, width: int) -> Tensor | None:
        """The vectors of an embedding, [count, width], or None when no folder has a fitting one.

        A name may have folders in it and may leave out the file's suffix; one that leaves its folder is not found.
        """
        path = self._path(name)
        if path is None:
            return None
        try:
            file = open_tensors(path)
            vectors = file.tensor(_key(file))
        except ModelError as error:
            logger.warning("embedding %r ignored: %s", name, error)
            return None
        vectors = vectors[None] if vectors.ndim == 1 else vectors.reshape(-1, vectors.shape[-1])
        if vectors.shape[-1] != width:
            logger.warning("embedding %r ignored: it is %d wide, the text encoder %d", name, vectors.shape[-1], width)
            return None
        return vectors.float()

    def _path(self, name: str) -> Path | None:
        if not name:
            return None
        for folder in self.folders:
            root = folder.resolve()
            for suffix in SUFFIXES:
                path = (root / (name + suffix)).resolve()
                if path.is_file() and path.is_relative_to(root):
                    return path
        return None


def _key(file: TensorFile) -> str:
    return next((key for key in _KEYS if key in file.tensors), next(iter(file.tensors)))
