"""Keys that are kept: `api_keys.json` in the data folder, 0600, replaced whole.

A file and not a table, because `inglenook keys` must work beside a running server as well as without one: only the
server opens the database, which may be locked, of another version, or elsewhere (PostgreSQL). Whoever changes the file
holds a lock on the one beside it; a reader needs none and sees the old file or the new one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from inglenook.api.access.keys import Key, key_for, new_key, now
from inglenook.api.access.private_files import write_private
from inglenook.api.access.scopes import Scope
from inglenook.errors import InglenookError

FILE = "api_keys.json"
_LOCK = "api_keys.lock"
_VERSION = 1
LONGEST_NAME = 100

Stamp = tuple[int, int, int] | None
"""Tells one state of the file from another; None while there is none."""


class KeyFileError(InglenookError):
    """The keys cannot be read, written or changed so; the message says why."""


class KeyFile:
    """The keys of a data folder, for any process."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._lock = folder / _LOCK

    def stamp(self) -> Stamp:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def read(self) -> tuple[Key, ...]:
        """Every key, revoked ones too; none without a file. Raises KeyFileError."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise KeyFileError(f"cannot read the keys in {self.path}: {error.strerror}") from error
        try:
            content = orjson.loads(data)
            if content["version"] != _VERSION:
                raise KeyFileError(f"{self.path} was written by a newer inglenook (version {content['version']})")
            return tuple(_key(entry) for entry in content["keys"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise KeyFileError(f"the keys in {self.path} are damaged: {error!r}") from error

    def add(self, name: str, scope: Scope, user: str | None = None) -> tuple[Key, str]:
        """Make a key; returns it, and the text that nobody can get again. Raises KeyFileError."""
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise KeyFileError(f"the name of a key has 1 to {LONGEST_NAME} printable characters, not {name[:100]!r}")
        if user is not None and (not user or len(user) > 200 or not user.isprintable()):
            raise KeyFileError(f"{user[:100]!r} cannot be the id of a user")
        text = new_key()
        key = key_for(text, name, scope, user, created=now())

        def added(keys: tuple[Key, ...]) -> tuple[Key, ...]:
            if any(other.name == name and other.revoked is None for other in keys):
                raise KeyFileError(f"there is a key named {name!r} already; revoke it, or take another name")
            return (*keys, key)

        self._change(added)
        return key, text

    def revoke(self, id_or_name: str) -> tuple[Key, ...]:
        """Revoke the live key of that id or name; returns it. Raises KeyFileError when there is none."""
        found: list[Key] = []

        def revoked(keys: tuple[Key, ...]) -> tuple[Key, ...]:
            matching = [key for key in keys if key.revoked is None and id_or_name in (key.id, key.name)]
            if not matching:
                raise KeyFileError(f"there is no live key with the id or name {id_or_name[:100]!r}")
            found.extend(replace(key, revoked=now()) for key in matching)
            ids = {key.id: key for key in found}
            return tuple(ids.get(key.id, key) for key in keys)

        self._change(revoked)
        return tuple(found)

    def _change(self, change: Callable[[tuple[Key, ...]], tuple[Key, ...]]) -> None:
        try:
            self.path.parent.mkdir(0o700, parents=True, exist_ok=True)
            with _locked(self._lock):
                content = {"version": _VERSION, "keys": [_entry(key) for key in change(self.read())]}
                write_private(self.path, orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
        except OSError as error:
            raise KeyFileError(f"cannot write the keys in {self.path}: {error.strerror}") from error


def _entry(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "sha256": key.digest.hex(),
        "scope": key.scope.label,
        "user": key.user,
        "created": None if key.created is None else key.created.isoformat(),
        "revoked": None if key.revoked is None else key.revoked.isoformat(),
    }


def _key(entry: dict[str, Any]) -> Key:
    digest = bytes.fromhex(entry["sha256"])
    if len(digest) != 32:
        raise ValueError("a hash is not 32 bytes long")
    created, revoked = (
        None if entry[field] is None else datetime.fromisoformat(entry[field]) for field in ("created", "revoked")
    )
    user = entry["user"]
    return Key(digest.hex()[:12], str(entry["name"]), digest, Scope.of(entry["scope"]), user, created, revoked)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _wait_for_lock(descriptor)
        yield
    finally:
        os.close(descriptor)  # frees it


if sys.platform == "win32":
    import msvcrt

    def _wait_for_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)

else:
    import fcntl

    def _wait_for_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
