"""Browsers that have logged in: a cookie that only this server can make, and that ends with its key.

The cookie holds the id of the key, when it ends, and a code over both (HMAC-SHA-256, RFC 2104) with a secret of the
data folder and the hash of the key. So a session survives a restart, and ends when the key is revoked or is given no
more.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from functools import cached_property
from pathlib import Path

from inglenook.api.access.keyring import KeyRing, LiveKey
from inglenook.api.access.private_files import read_or_make_secret

LIFETIME_S = 30 * 86400
_SECRET_FILE = "session_secret"
_SECRET_BYTES = 32


class Sessions:
    """Makes and checks cookies."""

    def __init__(self, folder: Path, ring: KeyRing) -> None:
        self._file = folder / _SECRET_FILE
        self._ring = ring

    @cached_property
    def _secret(self) -> bytes:
        """Made when it is needed first. Raises OSError when it cannot be kept."""
        return read_or_make_secret(self._file, _SECRET_BYTES)

    @cached_property
    def cookie_name(self) -> bytes:
        """Browsers send cookies to every port of a host: two servers must not overwrite each other's."""
        return f"inglenook-{hashlib.sha256(self._secret).hexdigest()[:8]}".encode()

    def made_for(self, live: LiveKey) -> bytes:
        """The value of a cookie for a browser that has given this key."""
        signed = f"{live.key.id}.{int(time.time()) + LIFETIME_S}"
        return f"{signed}.{self._code(live, signed.encode())}".encode()

    def find(self, value: bytes) -> LiveKey | None:
        """The key behind a cookie, if the cookie is ours and holds."""
        signed, _, code = value.rpartition(b".")
        key_id, _, until = signed.partition(b".")
        if not (until.isdigit() and len(until) < 15 and key_id.isascii() and code.isascii()):
            return None
        live = self._ring.by_id(key_id.decode())
        if live is None or not hmac.compare_digest(self._code(live, signed).encode(), code):
            return None
        return live if int(until) > time.time() else None

    def _code(self, live: LiveKey, signed: bytes) -> str:
        return hmac.digest(self._secret + live.key.digest, signed, "sha256").hex()
