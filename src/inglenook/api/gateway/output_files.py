"""The files that a task wrote: found, packed into an archive, removed."""

from __future__ import annotations

import asyncio
import logging
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from inglenook.api.deps import Services
from inglenook.api.gateway.task_views import typed_results
from inglenook.errors import UnsafePath
from inglenook.media import paths, stored_files
from inglenook.media.folders import Folders

logger = logging.getLogger(__name__)

_PIECE_BYTES = 256 * 1024
_WRITABLE = ("output", "temp")
_OLDEST = (1980, 1, 1, 0, 0, 0)


def files_of(outputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The files that nodes show, each once, whatever they are: `{"filename", "subfolder", "type", ...}`."""
    found = {
        (entry["type"], entry["subfolder"], entry["filename"]): entry
        for entry in typed_results(outputs)
        if "filename" in entry
    }
    return list(found.values())


def path_of(folders: Folders, entry: Mapping[str, Any]) -> Path | None:
    """Where a file lies; None when there is none, or what a node told leads elsewhere. Blocks on the disk."""
    if entry["type"] not in (*_WRITABLE, "input"):
        return None
    try:
        path = paths.resolve(folders.directory(entry["type"]), entry["subfolder"], entry["filename"])
        return path if path.is_file() else None
    except (UnsafePath, OSError):
        return None


async def remove_outputs(server: Services, job_id: str, outputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Remove what a task wrote into the output and temp folders; returns what is gone.

    What another task shows too stays, and so do files of the input folder.
    """
    files = [entry for entry in files_of(outputs) if entry["type"] in _WRITABLE]
    if not files:
        return []
    shown = await server.store.jobs_of_files({entry["filename"] for entry in files})
    of_others = {(file.type, file.subfolder, file.filename) for file in shown if file.job_id != job_id}
    own = [entry for entry in files if (entry["type"], entry["subfolder"], entry["filename"]) not in of_others]
    return await asyncio.to_thread(_remove, server.folders, own)


def _remove(folders: Folders, files: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    removed = []
    for entry in files:
        path = "/".join(part for part in (entry["subfolder"], entry["filename"]) if part)
        try:
            if stored_files.remove(folders.directory(entry["type"]), path):
                removed.append({name: entry[name] for name in ("filename", "subfolder", "type")})
        except (UnsafePath, OSError) as error:
            logger.warning("the output %s of a task cannot be removed: %s", path, error)
    return removed


class _Sink:
    """What a zip file is written to and taken from, piece by piece; never more than a piece and a half."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self._size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def is_full(self) -> bool:
        return self._size >= _PIECE_BYTES

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return data


def archive(files: Sequence[tuple[str, Path]], texts: Mapping[str, bytes]) -> Iterator[bytes]:
    """A zip file of files and texts by their names in it, made while it is read. Blocks on the disk.

    Nothing is compressed: pictures and films are already. A file that has gone meanwhile is left out.
    """
    sink = _Sink()
    with zipfile.ZipFile(cast(BinaryIO, sink), "w", zipfile.ZIP_STORED) as packed:
        for name, data in texts.items():
            packed.writestr(zipfile.ZipInfo(name, _OLDEST), data)
        for name, path in files:
            try:
                source = path.open("rb")
            except OSError:
                continue
            with source:
                info = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
                with packed.open(info, "w", force_zip64=True) as target:
                    while piece := source.read(_PIECE_BYTES):
                        target.write(piece)
                        if sink.is_full():
                            yield sink.take()
    yield sink.take()
