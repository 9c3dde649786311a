"""Which site a browser speaks for, and under which name it calls this server: facts from headers, no decisions."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from urllib.parse import SplitResult, urlsplit

_BROWSER_HEADERS = frozenset((b"origin", b"accept-language"))
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def plain(name: str) -> str:
    """A host name as it is compared."""
    return name.lower().removesuffix(".")


def host_name(host: bytes) -> str | None:
    """The name in a Host header, without its port; None for one that cannot be read."""
    parts = _split_host(host)
    return None if parts is None else plain(parts.hostname or "")


def is_loopback(name: str) -> bool:
    """Whether a name can only mean the machine that says it."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_from_browser(header_names: Iterable[bytes]) -> bool:
    """Whether a browser sent this: it always sends one of these headers, curl and most SDKs none."""
    for name in header_names:  # noqa: SIM110 - no generator: every request passes here twice
        if name in _BROWSER_HEADERS or name.startswith(b"sec-fetch-"):
            return True
    return False


def is_own_origin(host: bytes, origin: bytes, allowed_hosts: frozenset[str], *, exact_port: bool = False) -> bool:
    """Whether the page at `origin` is one of the server that is called `host`, whichever name or address that is.

    Ports are compared when both are given, since proxies like to leave them out; exact_port: the port that goes without
    saying counts too. `null`, the origin of sandboxed pages and files, is nobody's.
    """
    ours, theirs = _split_host(host), _split(origin)
    if ours is None or theirs is None or not theirs.hostname:
        return False
    if plain(theirs.hostname) in allowed_hosts:
        return True
    if plain(theirs.hostname) != plain(ours.hostname or ""):
        return False
    if exact_port:
        default = _DEFAULT_PORTS.get(theirs.scheme)
        return (ours.port or default) == (theirs.port or default)
    return ours.port is None or theirs.port is None or ours.port == theirs.port


def is_own_page(headers: Mapping[bytes, bytes], allowed_hosts: frozenset[str], cors_origin: str | None) -> bool:
    """Whether the browser says that a page of this server itself is behind a request, or one that CORS lets in.

    Stricter than `is_own_origin`, for requests that a cookie alone vouches for: saying nothing is not enough.
    """
    origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
    if origin is not None and cors_origin not in (None, "*") and origin.decode("latin-1") == cors_origin:
        return True
    if site is not None:
        return site in (b"same-origin", b"none")
    host = headers.get(b"host")
    return origin is not None and host is not None and is_own_origin(host, origin, allowed_hosts, exact_port=True)


def _split_host(host: bytes) -> SplitResult | None:
    return _split(b"//" + host)


def _split(address: bytes) -> SplitResult | None:
    try:
        parts = urlsplit(address.decode("latin-1"))
        _ = parts.port
    except ValueError:
        return None
    return parts
