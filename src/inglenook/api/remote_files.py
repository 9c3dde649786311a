"""Files that a client names by their address: fetched within limits, and never from this server's own network.

Each name is resolved first, and the connection goes to an address that was looked at: a name that resolves to
something else a moment later (DNS rebinding) leads nowhere. Redirects are followed one by one under the same rules.
Proxies of the environment are not used, since they would resolve names themselves.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile

import httpx

from inglenook.engine.values import shorten
from inglenook.errors import MediaError
from inglenook.media.addresses import is_public

_REDIRECTS = 5
_LONGEST_URL = 4096
_HELD_BYTES = 16 << 20
_PIECE_BYTES = 1 << 18

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""(host name, port) -> its addresses. Raises OSError."""


class RemoteFileError(MediaError):
    """A file that cannot or may not be fetched."""


@dataclass(frozen=True, slots=True)
class RemoteLimits:
    """What one file may take."""

    size_bytes: int
    timeout_s: float = 30.0


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def fetch(
    url: str,
    limits: RemoteLimits,
    *,
    resolve: Resolve = resolve,
    is_allowed: Callable[[str], bool] = is_public,
) -> SpooledTemporaryFile[bytes]:
    """The content of a file at an http or https address; the caller closes it.

    Raises RemoteFileError: the address leads to a place that is not allowed, the answer is no file, it is too large or
    takes too long.
    """
    shown = shorten(url, 100)
    try:
        async with asyncio.timeout(limits.timeout_s):
            return await _follow(url, limits, resolve, is_allowed)
    except TimeoutError:
        raise RemoteFileError(f"{shown} took longer than {limits.timeout_s:g} seconds") from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
        raise RemoteFileError(f"{shown} cannot be fetched: {shorten(str(error) or type(error).__name__)}") from error


async def _follow(
    url: str, limits: RemoteLimits, resolve: Resolve, is_allowed: Callable[[str], bool]
) -> SpooledTemporaryFile[bytes]:
    current = _parsed(url)
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=limits.timeout_s) as client:
        for _ in range(_REDIRECTS + 1):
            response = await _get(client, current, await _addresses(current, resolve, is_allowed))
            try:
                if response.has_redirect_location:
                    current = _parsed(str(current.join(response.headers["location"])))
                    continue
                return await _content(response, limits.size_bytes)
            finally:
                await response.aclose()
    raise RemoteFileError(f"{shorten(url, 100)} leads through more than {_REDIRECTS} redirects")


def _parsed(url: str) -> httpx.URL:
    if len(url) > _LONGEST_URL:
        raise RemoteFileError("the address of a remote file is too long")
    parsed = httpx.URL(url)
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise RemoteFileError(f"{shorten(url, 100)} is no http or https address")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise RemoteFileError(f"{parsed.port} is no port")
    if parsed.userinfo:
        raise RemoteFileError("the address of a remote file must not have a user name")
    return parsed


async def _addresses(url: httpx.URL, resolve: Resolve, is_allowed: Callable[[str], bool]) -> list[str]:
    """The addresses of a host, all of them allowed."""
    host = url.raw_host.decode()
    found = await resolve(host.strip("[]"), url.port or (443 if url.scheme == "https" else 80))
    if not found:
        raise RemoteFileError(f"{shorten(host, 100)} has no address")
    if not all(map(is_allowed, found)):
        # Which address it is stays here: it would tell a caller about this network.
        raise RemoteFileError(f"{shorten(host, 100)} is not a place that remote files may come from")
    return found


async def _get(client: httpx.AsyncClient, url: httpx.URL, addresses: list[str]) -> httpx.Response:
    """The answer of the first address that can be reached, its body still to be read."""
    host = url.raw_host.decode()
    headers = {"Host": url.netloc.decode(), "Accept-Encoding": "identity", "User-Agent": "inglenook"}
    for index, address in enumerate(addresses):
        there = url.copy_with(host=address, fragment=None)
        request = client.build_request("GET", there, headers=headers, extensions={"sni_hostname": host})
        try:
            return await client.send(request, stream=True)
        except httpx.ConnectError:
            if index == len(addresses) - 1:
                raise
    raise AssertionError("there is at least one address")


async def _content(response: httpx.Response, size_bytes: int) -> SpooledTemporaryFile[bytes]:
    if response.status_code != 200:
        raise RemoteFileError(f"the server of the file answers {response.status_code}")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise RemoteFileError("the server of the file sends it compressed, which was not asked for")
    file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(max_size=_HELD_BYTES)  # noqa: SIM115 - the caller's
    size = 0
    try:
        async for piece in response.aiter_raw(_PIECE_BYTES):
            size += len(piece)
            if size > size_bytes:
                raise RemoteFileError(f"the file is larger than {size_bytes} bytes")
            await asyncio.to_thread(file.write, piece)
    except BaseException:
        file.close()
        raise
    return file
