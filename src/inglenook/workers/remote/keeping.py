"""Gives files of remote servers their names in this server's folders."""

from __future__ import annotations

import re
from pathlib import Path

from inglenook.media import paths, uploads, writing
from inglenook.media.folders import FileKind, Folders
from inglenook.media.naming import FileRef, write_output

_NUMBERED = re.compile(r"(?P<prefix>.*[^_/])_\d{5,}_\.(?P<extension>\w{1,10})")
"""How nodes number their results: another server's numbers say nothing here, ours go on."""


def keep(folders: Folders, kind: FileKind, subfolder: str, filename: str, content: uploads.Pieces) -> FileRef:
    """Write a file as a result of this server and return what clients call it.

    A numbered name gets the next number here, another one is kept if it is free. Raises UnsafePath for names that
    leave the folder, MediaError when the disk refuses.
    """
    name = uploads.file_name(filename)
    folder = "/".join(paths.parts(subfolder))
    numbered = _NUMBERED.fullmatch(name)
    if numbered is not None and "%" not in name + folder:
        prefix = f"{folder}/{numbered['prefix']}" if folder else numbered["prefix"]
        return write_output(folders, kind, prefix, numbered["extension"], content)
    candidates = uploads.numbered(name)
    place = paths.resolve(folders.directory(kind), folder)
    given = writing.place(place, lambda _rescan: next(candidates), content, flush=kind == "output")
    return FileRef(given, folder, kind)


def path_of(folders: Folders, file: FileRef) -> Path:
    """Where a result is. Raises UnsafePath."""
    return paths.resolve(folders.directory(file.type), file.subfolder, file.filename)
