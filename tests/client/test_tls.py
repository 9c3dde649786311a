"""Servers with a certificate of an authority of one's own, named by SSL_CERT_FILE."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from inglenook.client import AsyncClient, Client, ConnectionFailed
from tests.api.test_tls import make_pair, needs_openssl
from tests.client.peer import Peer

GRAPH = {"1": {"class_type": "SaveImage", "inputs": {}}}


@needs_openssl
async def test_a_loopback_server_with_an_authority_of_its_own_is_trusted_where_the_environment_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = make_pair(tmp_path, "own")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    async with Peer().serving(tls) as peer:
        assert peer.url.startswith("https://127.0.0.1:")
        async with AsyncClient(peer.url) as stranger:
            with pytest.raises(ConnectionFailed):
                await stranger.queue()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with AsyncClient(peer.url) as client:
            assert (await client.run(GRAPH)).images[0].filename == "a.png"
        with Client(peer.url) as synchronous:
            assert (await asyncio.to_thread(synchronous.run, GRAPH)).images[0].filename == "a.png"
