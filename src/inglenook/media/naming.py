"""Names of results: `<prefix>_<number>_.<extension>`.

Numbers are kept in memory per folder and prefix, seeded by one scan of the folder; `writing` creates the files
exclusively, so that processes which share a folder never overwrite each other.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from inglenook.media import paths
from inglenook.media.folders import FileKind, Folders
from inglenook.media.writing import Data, place

_REMEMBERED_PREFIXES = 10_000
_BATCH_NUMBER = "%batch_num%"
_DEFAULT_PREFIX = "ComfyUI"


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file as clients name it."""

    filename: str
    subfolder: str
    type: FileKind

    def as_json(self) -> dict[str, str]:
        """An item of a node's `ui` lists."""
        return {"filename": self.filename, "subfolder": self.subfolder, "type": self.type}


def write_output(
    folders: Folders,
    kind: FileKind,
    prefix: str,
    extension: str,
    data: Data,
    *,
    width: int = 0,
    height: int = 0,
    batch_number: int = 0,
    root: Path | None = None,
    beside: FileRef | None = None,
) -> FileRef:
    """Write one result under the next free name of its prefix.

    prefix: may hold folders and `%width% %height% %year% %month% %day% %hour% %minute% %second% %batch_num%`.
    extension: without a dot. Files of the output folder are flushed to the disk before they get their name.
    root: the folder itself, where it is not the server's own of that kind. beside: a file of the same prefix whose
    number this one is to have, if it is free.
    Raises UnsafePath for a prefix that leaves the folder, MediaError when the disk refuses.
    """
    root = folders.directory(kind) if root is None else root
    folder, subfolder, name = split_prefix(root, expand(prefix, width, height))
    shown = name.replace(_BATCH_NUMBER, str(batch_number))

    wanted = [] if beside is None else [f"{beside.filename.rpartition('.')[0]}.{extension}"]

    def next_name(rescan: bool) -> str:
        if wanted:
            return wanted.pop()
        return f"{shown}_{_numbers.take(folder, name, rescan):05}_.{extension}"

    return FileRef(place(folder, next_name, data, flush=kind == "output"), subfolder, kind)


def split_prefix(root: Path, prefix: str) -> tuple[Path, str, str]:
    """Folder, its name below `root`, and the beginning of the file name that a prefix means. Raises UnsafePath."""
    *subfolders, name = paths.parts(prefix) or (_DEFAULT_PREFIX,)
    subfolder = "/".join(subfolders)
    return (paths.resolve(root, subfolder) if subfolder else root), subfolder, name


def expand(prefix: str, width: int, height: int) -> str:
    """The prefix with sizes and the time filled in; `%batch_num%` stays."""
    if "%" not in prefix:
        return prefix
    now = time.localtime()
    values = {
        "%width%": str(width),
        "%height%": str(height),
        "%year%": str(now.tm_year),
        "%month%": f"{now.tm_mon:02}",
        "%day%": f"{now.tm_mday:02}",
        "%hour%": f"{now.tm_hour:02}",
        "%minute%": f"{now.tm_min:02}",
        "%second%": f"{now.tm_sec:02}",
    }
    for placeholder, value in values.items():
        prefix = prefix.replace(placeholder, value)
    return prefix


def temporary_prefix() -> str:
    """The prefix of this process's previews, such as `ComfyUI_temp_abcde`."""
    return _TEMPORARY_PREFIX


_TEMPORARY_PREFIX = "ComfyUI_temp_" + "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(5))


class _Numbers:
    """The next number of each prefix, for the prefixes used last."""

    def __init__(self) -> None:
        self._next: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._lock = Lock()

    def take(self, folder: Path, name: str, rescan: bool) -> int:
        key = (str(folder), name)
        with self._lock:
            number = self._next.get(key, 0)
            if number == 0 or rescan:
                number = max(number, 1 + highest_number(folder, name))
            self._next[key] = number + 1
            self._next.move_to_end(key)
            if len(self._next) > _REMEMBERED_PREFIXES:
                self._next.popitem(last=False)
            return number


_numbers = _Numbers()


def highest_number(folder: Path, name: str) -> int:
    """The largest number that a result with this prefix has in the folder, 0 if there is none."""
    stem = r"\d+".join(map(re.escape, name.split(_BATCH_NUMBER)))
    pattern = re.compile(stem + r"_(\d+)(?:[_.]|$)", re.IGNORECASE if os.name == "nt" else 0)
    try:
        with os.scandir(folder) as entries:
            return max((int(match[1]) for entry in entries if (match := pattern.match(entry.name))), default=0)
    except FileNotFoundError:
        return 0
