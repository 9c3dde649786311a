"""Small files that only the server's user may read, written whole or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


def write_private(path: Path, data: bytes) -> None:
    """Write a file in place of the one that has this name, if any. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def read_or_make_secret(path: Path, size: int) -> bytes:
    """The random bytes in a file, made at first use. Raises OSError."""
    with suppress(FileNotFoundError):
        found = path.read_bytes()
        if len(found) == size:
            return found
    made = secrets.token_bytes(size)
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    write_private(path, made)
    return made
