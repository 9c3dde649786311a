"""An object kept in a JSON file that others may edit too: settings of a user, the list of users."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from inglenook.errors import MediaError
from inglenook.media import writing

logger = logging.getLogger(__name__)

MAX_BYTES = 16 << 20
"""Largest file: settings of the editor have some ten kilobytes."""

_Signature = tuple[int, int, int]


class JsonFile:
    """Reads the file again when it has changed, and replaces it as a whole. For several threads, not processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._known: tuple[_Signature, dict[str, Any]] | None = None

    def read(self) -> Mapping[str, Any]:
        """The object; empty when there is no file, or none that can be read."""
        signature = self._signature()
        if signature is None:
            return {}
        known = self._known
        if known is None or known[0] != signature:
            known = self._known = (signature, self._readable())
        return known[1]

    def _readable(self) -> dict[str, Any]:
        try:
            return self._parsed() or {}
        except OSError as error:
            logger.warning("%s is taken as empty: %s", self.path, error)
            return {}

    def update(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Let `change` alter the object and write it. What could not be read is kept beside the file.

        Raises MediaError when the disk refuses (DiskFull when it is full) or the object gets too large.
        """
        with self._lock:
            try:
                parsed = self._parsed()
            except OSError as error:
                raise MediaError(f"cannot read {self.path.name}: {error.strerror or error}") from error
            value = {**(parsed or {})}
            change(value)
            data = orjson.dumps(value, option=orjson.OPT_INDENT_2)
            if len(data) > MAX_BYTES:
                raise MediaError(f"{self.path.name} would get larger than {MAX_BYTES >> 20} MiB")
            if parsed is None:
                self._set_aside()
            writing.replace(self.path, data, flush=True)
            self._known = None

    def _signature(self) -> _Signature | None:
        try:
            status = os.stat(self.path)  # noqa: PTH116 - asked on each request of several users
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _parsed(self) -> dict[str, Any] | None:
        """The object in the file, `{}` without a file, None when it is none that can be understood."""
        try:
            if self.path.stat().st_size > MAX_BYTES:
                raise ValueError(f"it is larger than {MAX_BYTES >> 20} MiB")
            value = _loads(self.path.read_bytes())
            if not isinstance(value, dict):
                raise ValueError("it is not an object")
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, RecursionError) as error:
            logger.warning("%s is taken as empty: %s", self.path, error)
            return None
        return value

    def _set_aside(self) -> None:
        if self.path.is_file():
            kept = self.path.with_name(f"{self.path.name}.unreadable")
            self.path.replace(kept)
            logger.warning("%s could not be read and is now %s", self.path, kept)


def _loads(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:  # Python writes NaN and lone surrogates, which JSON does not have
        value = json.loads(data, parse_constant=lambda _: None)
        orjson.dumps(value)  # raises TypeError for what could not be sent
        return value
