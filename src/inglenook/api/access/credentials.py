"""Where in a request a key stands, and the request without it.

`Authorization: Bearer`, `X-API-Key`, `?token=` of a WebSocket (browsers can give sockets no header), or the cookie of a
browser that has logged in. `extra_data.api_key`: `prompt_body.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from starlette.types import Scope

Header = tuple[bytes, bytes]
_BEARER = b"bearer "
_PLACES = frozenset((b"authorization", b"x-api-key", b"cookie"))
_MOST_KEYS = 3
"""As many as there are places for; a request is no place to try a thousand."""


@dataclass(slots=True)
class Given:
    """What a request gives."""

    keys: list[bytes] = field(default_factory=list)
    cookie: bytes | None = None
    """The value of the session's cookie."""


def given_by(scope: Scope, cookie_name: bytes) -> Given:
    """Every key and the cookie that a request or a socket gives; none of it is checked."""
    found = Given()
    for name, value in scope["headers"]:
        if name not in _PLACES:
            continue
        if name == b"authorization":
            if (key := _bearer(value)) is not None:
                found.keys.append(key)
        elif name == b"x-api-key":
            found.keys.append(value.strip())
        elif name == b"cookie" and found.cookie is None:
            found.cookie = _cookie(value, cookie_name)
    if scope["type"] == "websocket":
        found.keys += [value for name, value in _pairs(scope["query_string"]) if name == b"token"]
    del found.keys[_MOST_KEYS:]
    return found


def without(scope: Scope, keys: frozenset[bytes], cookie_name: bytes) -> Scope:
    """A copy of a scope in which none of these keys and no session stands: node packs get what is left."""
    headers = []
    for header in scope["headers"]:
        kept = _header_without(header, keys, cookie_name) if header[0] in _PLACES else header
        if kept is not None:
            headers.append(kept)
    copy = {**scope, "headers": headers}
    query = scope["query_string"]
    if scope["type"] == "websocket" and b"token" in query:
        copy["query_string"] = b"&".join(
            part
            for part, (name, value) in zip(query.split(b"&"), _pairs(query), strict=True)
            if name != b"token" or value not in keys
        )
    return copy


def _header_without(header: Header, keys: frozenset[bytes], cookie_name: bytes) -> Header | None:
    name, value = header
    if name == b"authorization":
        return None if _bearer(value) in keys else header
    if name == b"x-api-key":
        return None if value.strip() in keys else header
    kept = b"; ".join(part for part in _cookies(value) if part.partition(b"=")[0] != cookie_name)
    return (name, kept) if kept else None


def _bearer(value: bytes) -> bytes | None:
    return value[len(_BEARER) :].strip() if value[: len(_BEARER)].lower() == _BEARER else None


def _cookie(value: bytes, name: bytes) -> bytes | None:
    for part in _cookies(value):
        if part.startswith(name + b"="):
            return part[len(name) + 1 :]
    return None


def _cookies(value: bytes) -> list[bytes]:
    return [part.strip() for part in value.split(b";")]


def _pairs(query: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values of a query, one for each part between ampersands."""
    return [(name, unquote_to_bytes(value)) for name, _, value in (part.partition(b"=") for part in query.split(b"&"))]
