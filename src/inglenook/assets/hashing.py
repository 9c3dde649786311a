"""Hashes of contents: BLAKE3, written `blake3:` and 64 hexadecimal digits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import blake3

from inglenook.media.content_hashes import ASSET_HASH

_PIECE_BYTES = 4 << 20


class Cancelled(Exception):
    """Whoever wanted a hash no longer does."""


def content_hash(pieces: Iterable[bytes]) -> str:
    """The hash of a content in pieces."""
    state = blake3.blake3()
    for piece in pieces:
        state.update(piece)
    return f"{ASSET_HASH}{state.hexdigest()}"


def file_hash(path: Path, is_cancelled: Callable[[], bool] = lambda: False) -> str:
    """The hash of a file; 0.5 to 3 GB a second. Raises OSError, Cancelled."""
    with path.open("rb", buffering=0) as file:

        def pieces() -> Iterator[bytes]:
            while piece := file.read(_PIECE_BYTES):
                if is_cancelled():
                    raise Cancelled
                yield piece

        return content_hash(pieces())
