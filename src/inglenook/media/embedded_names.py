"""Gives files other names in the workflow that a media file carries, without parsing or moving anything else.

Containers keep the JSON of a workflow as it is: PNG in text chunks, WebP and JPEG in EXIF, FLAC, MP3, Ogg, MP4 and
Matroska in tags, safetensors in its header, some as JSON in a text of JSON. A name in quotes gives way to one that is
no longer, and spaces after the quotes keep each length as it was. Checksums of PNG and Ogg are made anew.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import IO

from inglenook.media import png

_WINDOW_BYTES = 8 << 20
"""Tags stand at the begin or the end of a file."""
_SHORTEST = 16
"""A shorter name may occur in what is no workflow."""
_TEXT_CHUNKS = (b"tEXt", b"iTXt", b"eXIf")
_MATROSKA, _TAGS, _CHECKSUM, _VOID = b"\x1a\x45\xdf\xa3", b"\x12\x54\xc3\x67", b"\xbf\x84", 0xEC

Change = Callable[[bytes], bytes]
"""A piece of a file, with other names; of the same length."""


def longest_form(name: str) -> int:
    """How many bytes a name takes at most, in JSON within JSON."""
    return len(_escaped(name, 2))


def replace_names(file: IO[bytes], names: Mapping[str, str]) -> None:
    """Change the names in a file: those that it has -> those that it shall have.

    One for which there is no room is left, see `longest_form`.
    """
    change = _change(names)
    if change is None:
        return
    file.seek(0)
    head = file.read(len(png.SIGNATURE))
    if head == png.SIGNATURE:
        _in_png(file, change)
    elif head.startswith(b"OggS"):
        _in_ogg(file, change)
    else:
        _in_windows(file, change, is_matroska=head.startswith(_MATROSKA))
    file.seek(0)


def _change(names: Mapping[str, str]) -> Change | None:
    by_bytes = {name.encode(): ours for name, ours in names.items() if len(name) >= _SHORTEST}
    if not by_bytes:
        return None
    alternatives = b"|".join(map(re.escape, sorted(by_bytes, key=len, reverse=True)))
    pattern = re.compile(rb'(?<=")(' + alternatives + rb')(\\*")')

    def changed(match: re.Match[bytes]) -> bytes:
        whole, quote = match[0], match[2]
        # One backslash before the quote in JSON within JSON, three one level deeper.
        new = _escaped(by_bytes[match[1]], len(quote).bit_length()) + quote
        return new.ljust(len(whole)) if len(new) <= len(whole) else whole

    return lambda data: pattern.sub(changed, data)


def _escaped(name: str, times: int) -> bytes:
    for _ in range(times):
        name = json.dumps(name)[1:-1]
    return name.encode()


def _write(file: IO[bytes], position: int, data: bytes) -> None:
    file.seek(position)
    file.write(data)


def _in_png(file: IO[bytes], change: Change) -> None:
    position = len(png.SIGNATURE)
    while len(head := _read(file, position, 8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in _TEXT_CHUNKS and length <= _WINDOW_BYTES:
            data = file.read(length)
            new = change(data)
            if new != data:
                _write(file, position + 8, new + struct.pack(">I", zlib.crc32(kind + new)))
        position += 12 + length


def _read(file: IO[bytes], position: int, count: int) -> bytes:
    file.seek(position)
    return file.read(count)


def _in_ogg(file: IO[bytes], change: Change) -> None:
    position = 0
    while position < _WINDOW_BYTES and len(head := _read(file, position, 27)) == 27 and head[:4] == b"OggS":
        head += file.read(head[26])
        body = file.read(sum(head[27:]))
        new = change(body)
        if new != body:
            page = bytearray(head + new)
            page[22:26] = bytes(4)
            page[22:26] = struct.pack("<I", _ogg_checksum(page))
            _write(file, position, bytes(page))
        position += len(head) + len(body)


def _ogg_checksum(page: bytes | bytearray) -> int:
    """CRC-32 of RFC 3533: not reflected, begins with 0."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        value &= 0xFFFFFFFF
    return value


def _in_windows(file: IO[bytes], change: Change, *, is_matroska: bool) -> None:
    size = file.seek(0, 2)
    for position in dict.fromkeys((0, max(_WINDOW_BYTES, size - _WINDOW_BYTES))):
        data = _read(file, position, _WINDOW_BYTES)
        new = change(data)
        if new != data:
            _write(file, position, _without_checksum(data, new) if is_matroska else new)


def _without_checksum(before: bytes, after: bytes) -> bytes:
    """Matroska: empty space in place of the checksums of the tags that are changed."""
    data, found = bytearray(after), after.find(_TAGS)
    while found >= 0:
        following = after.find(_TAGS, found + 4)
        end = len(after) if following < 0 else following
        if before[found:end] != after[found:end]:
            size_of_size = 9 - after[found + 4].bit_length()
            child = found + 4 + size_of_size
            if after[child : child + 2] == _CHECKSUM:
                data[child] = _VOID
        found = following
    return bytes(data)
