"""Files that clients send: stored under the name they give, or beside the file that has it already."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from PIL import Image

from inglenook.errors import MediaError, UnsafePath
from inglenook.media import images, paths, png, writing
from inglenook.media.writing import Data

_PIECE_BYTES = 1 << 20
_PNG_LEVEL = 4


class Pieces:
    """The content of an open file in pieces, as often as it is asked for."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    @classmethod
    def of(cls, data: bytes) -> Pieces:
        """The content of some bytes."""
        return cls(io.BytesIO(data))

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        while piece := self._file.read(_PIECE_BYTES):
            yield piece

    def size(self) -> int:
        """Bytes of the file."""
        return self._file.seek(0, io.SEEK_END)


def file_name(given: str) -> str:
    """The name under which a file is stored that a client calls `given`: without the folders of the client.

    Raises UnsafePath for `..` and for what `paths.parts` refuses, MediaError for no name.
    """
    steps = given.replace("\\", "/").split("/")
    if ".." in steps:
        raise UnsafePath(f"the file name {given[:100]!r} leaves its folder ('..')")
    name = paths.parts(steps[-1])
    if not name:
        raise MediaError("the file has no name")
    return name[0]


def store(root: Path, subfolder: str, name: str, content: Pieces, *, overwrite: bool) -> str:
    """Write an upload below `root`; return the name that it has now.

    Where the name is taken and `overwrite` is off, a file with the same content is left as it is, and another one makes
    the upload `stem (1).ext`, `stem (2).ext`, ... Raises UnsafePath, MediaError, DiskFull.
    """
    if overwrite:
        writing.replace(paths.resolve(root, subfolder, name), content, flush=True)
        return name
    folder = paths.resolve(root, subfolder)
    for candidate in numbered(name):
        path = paths.resolve(root, subfolder, candidate)
        if path.exists():
            if _same_content(path, content):
                return candidate
            continue
        if place_as(folder, candidate, content):
            return candidate
    raise AssertionError("names are endless")


def numbered(name: str) -> Iterator[str]:
    """The names that a file may get where the one before is taken: `a.png`, `a (1).png`, ... without end."""
    path = PurePosixPath(name)
    yield name
    number = 0
    while True:
        number += 1
        yield f"{path.stem} ({number}){path.suffix}"


def _same_content(path: Path, content: Pieces) -> bool:
    if not path.is_file() or path.stat().st_size != content.size():
        return False
    with path.open("rb") as file:
        return all(file.read(len(piece)) == piece for piece in content)


def place_as(folder: Path, name: str, content: Data) -> bool:
    """Write a file under exactly this name; False when somebody else took it meanwhile."""

    class Taken(Exception):
        pass

    offered = iter([name])

    def only_name(_rescan: bool) -> str:
        for offer in offered:
            return offer
        raise Taken

    try:
        writing.place(folder, only_name, content, flush=True)
    except Taken:
        return False
    return True


def with_alpha_of(original: Path, mask: BinaryIO, max_pixels: int) -> bytes:
    """A PNG file: the original picture with the alpha channel of the mask picture, and the original's PNG text.

    A mask of another size is scaled. Raises MediaError when one of them is no picture.
    """
    import numpy as np  # here, because most uploads need none of it

    text = png.read_text(original) if png.is_png(original) else {}
    mask.seek(0)
    with images.opened(mask.read(), max_pixels) as file:
        alpha = images.alpha_channel(file)
    with images.opened(original, max_pixels) as file:
        picture = images.eight_bit(file).convert("RGBA")
    if alpha.size != picture.size:
        alpha = alpha.resize(picture.size, Image.Resampling.BILINEAR)
    picture.putalpha(alpha)
    return png.encode(np.asarray(picture), level=_PNG_LEVEL, text=text)
