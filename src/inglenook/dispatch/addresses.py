"""Where a webhook may go: to public addresses, unless a setting lets it go anywhere.

What a name means is asked once, checked, and then connected to as an address: a name that means something else a
moment later (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from inglenook.errors import InglenookError

LONGEST_URL = 2000

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address; so they are in 6to4 (RFC 3056), behind its prefix."""


class WebhookRefused(InglenookError):
    """A URL that is none, or leads where webhooks do not go."""


def checked_url(url: str, *, allow_private: bool) -> SplitResult:
    """The parts of a webhook's URL. Raises WebhookRefused; names are not looked up."""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise WebhookRefused(f"the URL of a webhook has up to {LONGEST_URL} printable ASCII characters, none a space")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise WebhookRefused(f"the URL of a webhook cannot be read: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise WebhookRefused("the URL of a webhook begins with http:// or https:// and names a host")
    if "@" in parts.netloc:
        raise WebhookRefused("the URL of a webhook holds no user name: deliveries are signed instead")
    literal = _literal(parts.hostname)
    if literal is not None and not allow_private and not is_public(literal):
        raise _private(parts.hostname)
    return parts


async def resolve(parts: SplitResult, *, allow_private: bool) -> list[str]:
    """The addresses to connect to. Raises WebhookRefused where one of them is not public, OSError for no address."""
    host = parts.hostname
    assert host is not None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label of more than 63 characters
        raise OSError(f"{host[:100]} is no host name: {error}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses:
        raise OSError(f"{host} has no address")
    if not allow_private and not all(is_public(ipaddress.ip_address(one.partition("%")[0])) for one in addresses):
        raise _private(host)
    return addresses


def is_public(address: _Address) -> bool:
    """Whether an address, and the IPv4 address inside it, belongs to the internet at large."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast


def _literal(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _private(host: str) -> WebhookRefused:
    return WebhookRefused(
        f"{host[:100]} is or leads to an address that is not public; "
        "the setting webhook_allow_private lets webhooks go there"
    )
