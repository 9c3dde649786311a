"""Textual inversions that prompts name, and which worker has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import PurePosixPath

from inglenook.media.folders import MODEL_EXTENSIONS

_MARK = "embedding:"
_NAMED = re.compile(r"\bembedding:([^\s,:()\[\]]{1,200})")
_MOST = 100


def named_embeddings(values: Iterable[object]) -> frozenset[str]:
    """The names, without extension, behind `embedding:` in those of the values that are texts."""
    return frozenset(islice(_named(values), _MOST))


def _named(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str) and _MARK in value:
            for found in _NAMED.finditer(value):
                yield bare(found[1])


def bare(name: str) -> str:
    """A name without the extension of a model file."""
    path = PurePosixPath(name)
    return name.removesuffix(path.suffix) if path.suffix and path.suffix.lower() in MODEL_EXTENSIONS else name
