"""Which network addresses a server may be sent to by somebody else: none of its own network."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = IPv6Network("::/96")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet: not private, loopback, link-local, multicast, reserved.

    IPv6 addresses that stand for an IPv4 one (mapped, compatible, 6to4, Teredo, NAT64) are judged by that one, too.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        if parsed in _NAT64_LOCAL or parsed.is_site_local:
            return False
        if not all(map(_is_global, _embedded(parsed))):
            return False
        if parsed.ipv4_mapped is not None or parsed in _NAT64:
            return True  # judged by what it stands for
    return _is_global(parsed)


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    return (
        address.is_global
        and not address.is_private
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
    )


def _embedded(address: IPv6Address) -> list[IPv4Address]:
    found = [one for one in (address.ipv4_mapped, address.sixtofour) if one is not None]
    if address.teredo is not None:
        found += address.teredo
    if address in _NAT64 or address in _COMPATIBLE:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return found
