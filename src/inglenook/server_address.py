"""How the address of another server is written: `HOST:PORT`, or a URL with a path, and a key before the `@`.

127.0.0.1:8189    gpu2    https://gpu.example.org/comfy    https://KEY@gpu.example.org
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

_LONGEST = 2000
_LONGEST_NAME = 100
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
DEFAULT_PORT = 8188


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server is, and the key that it asks for."""

    url: str
    """With scheme, without key and without `/` at its end."""
    api_key: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The worker's name where none was given: host and port, and what is in the path."""
        parts = urlsplit(self.url)
        text = f"{parts.hostname or ''}-{parts.port}" if parts.port else parts.hostname or ""
        return _NOT_IN_NAMES.sub("-", f"{text}{parts.path}").strip("-")[:_LONGEST_NAME] or "server"


def read_address(text: str) -> ServerAddress:
    """Raises ValueError that does not repeat what may be a key. A plain name or address has ComfyUI's port, 8188."""
    text = text.strip()
    if not text or len(text) > _LONGEST or not text.isascii() or not text.isprintable() or set(text) & set(" \\"):
        raise ValueError(f"the address of a server has up to {_LONGEST} printable ASCII characters, none a space")
    has_scheme = "://" in text
    try:
        parts = urlsplit(text if has_scheme else f"http://{text}")
        port = parts.port
    except ValueError as error:
        reason = "its port" if "ort" in str(error) else "its host"
        raise ValueError(f"the address of a server cannot be read: {reason} is no good") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("the address of a server is HOST:PORT, or begins with http:// or https://")
    if parts.query or parts.fragment:
        raise ValueError("the address of a server has no ? and no #; a key stands before an @, in front of the host")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown_port = f":{port}" if port else "" if has_scheme else f":{DEFAULT_PORT}"
    path = quote(unquote(parts.path), safe="/:@!$&'()*+,;=~-._").rstrip("/")
    key = unquote(parts.password or parts.username or "") or None
    if key is not None and (not key.isascii() or not key.isprintable()):
        raise ValueError("the key in the address of a server has printable ASCII characters")
    return ServerAddress(f"{parts.scheme}://{host}{shown_port}{path}", key)
