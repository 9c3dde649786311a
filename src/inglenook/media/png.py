"""PNG files by hand: an encoder for 8-bit pictures, and a reader of text chunks that decodes no pixel.

The encoder filters each row against the one above and compresses with zlib: measured at 64 x 64 to 1024 x 1024 it takes
a quarter to two thirds of the time of Pillow's, for files of about the same size. Format: PNG specification, W3C,
third edition.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from inglenook.errors import MediaError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Number of channels -> colour type."""
_FILTER_UP = 2
_MAX_TEXT_BYTES = 64 * 1024 * 1024
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")


def encode(pixels: NDArray[np.uint8], *, level: int = 4, text: Mapping[str, str] | None = None) -> bytes:
    """A PNG file.

    pixels: [height, width, channels], channels 1 to 4 (grey, grey with alpha, RGB, RGBA). level: zlib's, 0 to 9.
    text: keyword -> text, written before the pixels; keywords that PNG does not allow are left out.
    """
    import numpy as np  # here, because the API process reads text chunks without it

    height, width, channels = pixels.shape
    if channels not in _COLOUR_TYPES or not height or not width:
        raise MediaError(f"a picture of {width}x{height} with {channels} channels cannot be stored as PNG")
    rows = np.empty((height, 1 + width * channels), np.uint8)
    flat = pixels.reshape(height, -1)
    rows[:, 0] = _FILTER_UP
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    return b"".join(
        (
            SIGNATURE,
            _chunk(b"IHDR", header),
            *text_chunks(text or {}),
            _chunk(b"IDAT", zlib.compress(rows.data, level)),
            _chunk(b"IEND", b""),
        )
    )


def text_chunks(text: Mapping[str, str]) -> Iterator[bytes]:
    """Whole chunks: tEXt where Latin-1 suffices, else iTXt."""
    for keyword, value in text.items():
        try:
            name = keyword.encode("latin-1")
        except UnicodeEncodeError:
            continue
        if not 1 <= len(name) <= 79 or not keyword.isprintable():
            continue
        try:
            yield _chunk(b"tEXt", name + b"\0" + value.encode("latin-1"))
        except UnicodeEncodeError:
            yield _chunk(b"iTXt", name + b"\0\0\0\0\0" + value.encode("utf-8", "replace"))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return b"".join((struct.pack(">I", len(data)), kind, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))))


def is_png(source: Path | bytes) -> bool:
    """Whether a file, by its path or its bytes, begins as a PNG file does."""
    if isinstance(source, bytes):
        return source.startswith(SIGNATURE)
    with source.open("rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE


def read_text(path: Path) -> dict[str, str]:
    """Keyword -> text of a PNG file, the first of each keyword; {} if it has none. Damaged chunks are left out.

    Raises MediaError when the file is no PNG.
    """
    with path.open("rb") as file:
        return text_in(file, path.name)


def text_in(file: BinaryIO, name: str) -> dict[str, str]:
    """The same of an open file."""
    if file.read(len(SIGNATURE)) != SIGNATURE:
        raise MediaError(f"{name} is not a PNG file")
    found: dict[str, str] = {}
    room = _MAX_TEXT_BYTES
    for kind, data in _text_data(file):
        entry = _decode_text(kind, data, room)
        if entry is not None:
            room -= len(entry[1])
            found.setdefault(*entry)
    return found


def _text_data(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    remaining = _MAX_TEXT_BYTES
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        if kind == b"IEND":
            return
        if kind in _TEXT_CHUNKS and length <= remaining:
            remaining -= length
            yield kind, file.read(length)
            file.seek(4, 1)
        else:
            file.seek(length + 4, 1)


def _decode_text(kind: bytes, data: bytes, room: int) -> tuple[str, str] | None:
    """Keyword and text of a chunk; None when it is damaged or unfolds to more than `room` bytes."""
    keyword, separator, rest = data.partition(b"\0")
    if not separator:
        return None
    name = keyword.decode("latin-1")
    try:
        if kind == b"tEXt":
            return name, rest.decode("latin-1")
        if kind == b"zTXt":
            return name, _inflate(rest[1:], room).decode("latin-1")
        compressed = rest[:1] == b"\1"
        _language, _, rest = rest[2:].partition(b"\0")
        _translated, _, rest = rest.partition(b"\0")
        return name, (_inflate(rest, room) if compressed else rest).decode("utf-8", "replace")
    except zlib.error:
        return None


def _inflate(data: bytes, room: int) -> bytes:
    inflater = zlib.decompressobj()
    text = inflater.decompress(data, max(room, 1))
    if inflater.unconsumed_tail or len(text) > room:
        raise zlib.error("too long a text")
    return text
