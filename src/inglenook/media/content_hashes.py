"""How the hash of a file's content is written, where it stands for the file: `blake3:` and 64 hexadecimal digits."""

from __future__ import annotations

import re

ASSET_HASH = "blake3:"
"""How hashes begin."""
_HASH = re.compile(rf"{ASSET_HASH}[0-9a-f]{{64}}")


def is_hash(text: str) -> bool:
    """Whether a text is a hash as assets have it."""
    return _HASH.fullmatch(text) is not None
