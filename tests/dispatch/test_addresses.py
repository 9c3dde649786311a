"""Where webhooks may go."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from inglenook.dispatch.addresses import WebhookRefused, checked_url, is_public, resolve


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1",
        "fd00:ec2::254", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2002:a00:1::1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2001:0:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_inside_a_network_are_not_public(address) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_of_the_internet_are_public(address) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "ftp://example.org/", "file:///etc/passwd", "http://", "http:///a", "https://a b/",
        "http://u:p@example.org/", "http://example.org@127.0.0.1/", "http://127.0.0.1/", "http://[::1]:80/",
        "http://[::ffff:10.0.0.1]/", "http://[fe80::1%25eth0]/", "http://169.254.169.254/latest", "http://10.1.1.1:9/",
        "http://example.org:99999/", "http://example.org:0/", "http://example.org:x/", "http://[::1",
        "http://exa\nmple.org/", "http://example.org/\0", "http://bücher.example/", "http://example.org\\@127.0.0.1/",
        "http://e.org/" + "a" * 2000,
    ],
)  # fmt: skip
def test_what_is_no_url_of_a_webhook_is_refused(url) -> None:
    with pytest.raises(WebhookRefused):
        checked_url(url, allow_private=False)


def answering(*addresses):
    async def getaddrinfo(_host, port, **_options):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return getaddrinfo


async def test_a_name_that_leads_inside_is_refused(monkeypatch) -> None:
    import asyncio

    parts = checked_url("https://example.org/", allow_private=False)
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", answering("8.8.8.8", "10.0.0.1"))
    with pytest.raises(WebhookRefused, match="not public"):
        await resolve(parts, allow_private=False)
    assert await resolve(parts, allow_private=True) == ["8.8.8.8", "10.0.0.1"]


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "localhost"])
async def test_other_ways_to_write_loopback_are_refused(host) -> None:
    parts = checked_url(f"http://{host}/", allow_private=False)
    with pytest.raises((WebhookRefused, OSError)):
        await resolve(parts, allow_private=False)


async def test_a_name_too_long_for_dns_is_an_error_of_the_network() -> None:
    with pytest.raises(OSError, match=r"no host name|Name or service|label"):
        await resolve(checked_url(f"http://{'a' * 70}.example/", allow_private=False), allow_private=False)
