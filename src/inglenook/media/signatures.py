"""What a file is, told from its first bytes: a name's extension, by which loaders list and read it."""

from __future__ import annotations

from typing import BinaryIO

HEAD_BYTES = 64
"""As many bytes as it takes."""

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tiff"),
    (b"MM\0*", ".tiff"),
    (b"\x76\x2f\x31\x01", ".exr"),
    (b"fLaC", ".flac"),
    (b"OggS", ".ogg"),
    (b"ID3", ".mp3"),
    (b"\xff\xfb", ".mp3"),
    (b"\xff\xf3", ".mp3"),
    (b"\xff\xf2", ".mp3"),
    (b"\xff\xf1", ".aac"),
    (b"\xff\xf9", ".aac"),
    (b"glTF", ".glb"),
)
_RIFF = {b"WEBP": ".webp", b"WAVE": ".wav", b"AVI ": ".avi"}
_BRANDS = {
    b"avif": ".avif",
    b"avis": ".avif",
    b"heic": ".heic",
    b"heix": ".heic",
    b"mif1": ".heic",
    b"M4A ": ".m4a",
    b"qt  ": ".mov",
}
_ALSO = {".jpeg", ".apng", ".tif", ".oga", ".opus", ".mp4", ".mkv", ".webm"}
UNMISTAKABLE = frozenset({*(name for _, name in _STARTS), *_RIFF.values(), *_BRANDS.values(), *_ALSO}) - {
    ".mp3",
    ".aac",
    ".mov",
}
"""Extensions of formats whose files always begin as this module knows."""


def extension(head: bytes) -> str | None:
    """The extension for a file that begins so, or None for what is not known."""
    for read in (_by_container, _by_start):
        found = read(head)
        if found is not None:
            return found
    return None


def extension_of(file: BinaryIO) -> str | None:
    """The same of an open file, which is at its start afterwards."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    return extension(head)


def _by_container(head: bytes) -> str | None:
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], ".mp4")
    if head.startswith(b"\x1aE\xdf\xa3"):
        return ".webm" if b"webm" in head else ".mkv"
    return None


def _by_start(head: bytes) -> str | None:
    return next((name for start, name in _STARTS if head.startswith(start)), None)
