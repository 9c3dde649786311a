"""What a key is. A new one is 32 random bytes, so it is kept as its plain SHA-256.

Slow password hashes make guessing expensive; there is nothing to guess in 256 random bits, and a slow hash would cost
100 ms on every request.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from inglenook.api.access.scopes import Scope

PREFIX = "ink_"
"""Lets people, and scanners of repositories, see what a string is."""
_BYTES = 32
_GUESSABLE = 24
"""Shorter keys than this may be words; only an administrator's own (`api_key`) can be so short."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is known: never the key itself."""

    id: str
    """The first twelve hex digits of the digest."""
    name: str
    digest: bytes
    scope: Scope
    user: str | None = None
    created: datetime | None = None
    """None for a key of the setting `api_key`."""
    revoked: datetime | None = None
    is_guessable: bool = False


def new_key() -> str:
    """A key that nobody has had before."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def key_for(text: str, name: str, scope: Scope, user: str | None = None, *, created: datetime | None) -> Key:
    """What is kept of the key `text`."""
    found = digest(text.encode())
    return Key(found.hex()[:12], name, found, scope, user, created, is_guessable=len(text) < _GUESSABLE)


def now() -> datetime:
    """The time, to the second."""
    return datetime.now(UTC).replace(microsecond=0)
