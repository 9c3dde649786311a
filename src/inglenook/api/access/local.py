"""Whether a caller is on this machine: all that is served while there is no key.

The address of the connection must be a loopback one. A reverse proxy connects from one too, and so does a browser that
a foreign site has led here by DNS rebinding; both are known by what they send:

* a header that proxies add, whatever it says;
* a Host that is no name of this machine: a loopback name or address, or one of `allowed_hosts`. Programs may also call
  it by a name without a dot, as containers and `/etc/hosts` have them; browsers may not, since somebody may own it.

A proxy on this machine that sends neither cannot be told from a program: give it a header, or use keys.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from starlette.types import Scope

from inglenook.api.origins import host_name, is_from_browser, is_loopback

_PROXY_HEADERS = frozenset(
    {
        b"forwarded",
        b"via",
        b"x-real-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-originating-ip",
        b"x-remote-ip",
        b"x-remote-addr",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"cf-ray",
        b"fastly-client-ip",
        b"fly-client-ip",
        b"x-azure-clientip",
        b"x-envoy-external-address",
        b"x-amzn-trace-id",
        b"x-original-host",
    }
)


_LONGEST_HOST = 300


def remoteness(scope: Scope, allowed_hosts: frozenset[str]) -> str | None:
    """Why a request or socket counts as one of another machine; None for one of this machine."""
    client = scope.get("client")
    if client is None:  # a Unix socket has no address: a proxy uses such
        return "it comes over a socket without an address"
    if not _is_loopback_address(client[0]):
        return "it comes from another machine"
    host = None
    for name, value in scope["headers"]:
        if name in _PROXY_HEADERS or name.startswith(b"x-forwarded"):
            return f"it came through a proxy, as its header {name.decode('latin-1')[:50]} says"
        if name == b"host":
            host = value
    if host is None:
        return None
    by_browser = is_from_browser(name for name, _ in scope["headers"])
    if len(host) <= _LONGEST_HOST and _is_our_name(host, allowed_hosts, by_browser):
        return None
    return f"it calls this server {host.decode('latin-1')[:100]!r}, which --allowed-host does not name"


@lru_cache(maxsize=256)
def _is_our_name(host: bytes, allowed_hosts: frozenset[str], by_browser: bool) -> bool:
    name = host_name(host)
    if name is None:
        return False
    if is_loopback(name) or name in allowed_hosts or name == "0.0.0.0":
        return True
    return not by_browser and "." not in name and ":" not in name


@lru_cache(maxsize=256)
def _is_loopback_address(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback
