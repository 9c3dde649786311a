"""The keys of a running server, in memory: those of the setting `api_key` and those of the key file, as it changes.

Keys are needed as soon as there is one, and stay needed when all are revoked: revoking the last key must not open a
server. To serve this machine without a key again, delete the file.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import orjson

from inglenook.api.access.keyfile import KeyFile, KeyFileError, Stamp
from inglenook.api.access.keys import Key, digest, key_for
from inglenook.api.access.private_files import write_private
from inglenook.api.access.scopes import Scope
from inglenook.settings import Settings

logger = logging.getLogger(__name__)

WATCH_INTERVAL_S = 0.5
"""How soon a new key is accepted and a revoked one is not."""
_NOTE_INTERVAL_S = 60.0
USE_FILE = "api_keys_used.json"
GIVEN_NAME = "--api-key"
"""What a key of the setting is called."""


class LiveKey:
    """A key that is accepted, for as long as it is."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.ended = asyncio.Event()
        """Set when the key is revoked: sockets and streams that it opened end."""


class KeyRing:
    """Finds keys without touching the disk; `watching` keeps it up to date."""

    def __init__(self, folder: Path, given: Iterable[str] = ()) -> None:
        """given: keys of the setting. Raises KeyFileError when the key file cannot be read."""
        self.file = KeyFile(folder)
        self._given = {key.digest: LiveKey(key) for key in (_given(text) for text in given)}
        self._use_file = folder / USE_FILE
        self._used = read_uses(folder)
        self._used_was_noted = True
        self._stamp: Stamp = self.file.stamp()
        """The state of the file that was looked at last, whether or not it could be read."""
        self._all: tuple[Key, ...] = ()
        self._by_digest: dict[bytes, LiveKey] = {}
        self._by_id: dict[str, LiveKey] = {}
        self._take(self.file.read())

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of a server. Raises KeyFileError."""
        return cls(settings.data_folder, (key.get_secret_value() for key in settings.api_key))

    @property
    def is_needed(self) -> bool:
        """Whether callers need a key."""
        return bool(self._given or self._all)

    @property
    def keys(self) -> tuple[Key, ...]:
        """Every key, those of the setting first."""
        return (*(live.key for live in self._given.values()), *self._all)

    def find(self, text: bytes) -> LiveKey | None:
        """The live key with this text."""
        hashed = digest(text)
        live = self._by_digest.get(hashed)
        # A lookup takes longer the more of a hash is right, which helps nobody who cannot choose hashes.
        return live if live is not None and hmac.compare_digest(live.key.digest, hashed) else None

    def by_id(self, key_id: str) -> LiveKey | None:
        return self._by_id.get(key_id)

    def used(self, live: LiveKey) -> None:
        """Note that a key was used now."""
        self._used[live.key.id] = int(time.time())
        self._used_was_noted = False

    def last_used(self, key_id: str) -> int | None:
        """When a key was used last, in seconds since 1970."""
        return self._used.get(key_id)

    def reload(self) -> None:
        """Take in the key file if it has changed; one that cannot be read changes nothing."""
        stamp = self.file.stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._take(self.file.read())
        except KeyFileError as error:
            logger.error("the keys stay as they were: %s", error)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[KeyRing]:
        """Follow the key file for the time of the block."""
        task = asyncio.create_task(self._watch())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.to_thread(self._note_uses)

    async def _watch(self) -> None:
        noted = time.monotonic()
        while True:
            await asyncio.sleep(WATCH_INTERVAL_S)
            try:
                self.reload()  # a stat of a local file: 2 us
            except OSError as error:
                logger.error("cannot look at the keys: %s", error)
            if time.monotonic() - noted > _NOTE_INTERVAL_S:
                noted = time.monotonic()
                await asyncio.to_thread(self._note_uses)

    def _take(self, keys: tuple[Key, ...]) -> None:
        before = self._by_digest
        live = {
            key.digest: known if (known := before.get(key.digest)) is not None and known.key == key else LiveKey(key)
            for key in keys
            if key.revoked is None
        }
        self._all = keys
        self._by_digest = {**live, **self._given}
        self._by_id = {found.key.id: found for found in self._by_digest.values()}
        for hashed, old in before.items():
            if self._by_digest.get(hashed) is not old:
                old.ended.set()

    def _note_uses(self) -> None:
        """Write down when keys were used; for `inglenook keys list`."""
        if self._used_was_noted:
            return
        self._used_was_noted = True
        known = {key.id for key in self.keys}
        try:
            write_private(self._use_file, orjson.dumps({key: at for key, at in self._used.items() if key in known}))
        except OSError as error:
            logger.warning("cannot note when keys were used: %s", error)


def _given(text: str) -> Key:
    return key_for(text, GIVEN_NAME, Scope.ADMIN, created=None)


def read_uses(folder: Path) -> dict[str, int]:
    """Key id -> when it was used last, as the server of a data folder has noted it at most a minute ago."""
    try:
        content = orjson.loads((folder / USE_FILE).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: at for key, at in content.items() if isinstance(at, int)}


def described(key: Key, last_used: int | None) -> dict[str, Any]:
    """What may be told of a key."""
    return {
        "id": key.id,
        "name": key.name,
        "scope": key.scope.label,
        "user": key.user,
        "created": None if key.created is None else key.created.isoformat(),
        "last_used": None if last_used is None else datetime.fromtimestamp(last_used, UTC).isoformat(),
        "revoked": None if key.revoked is None else key.revoked.isoformat(),
    }
