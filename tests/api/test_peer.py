"""Whether the other machine is gone."""

import asyncio
import struct

import pytest

from inglenook.api import peer


def info(unacknowledged, silent_ms):
    data = bytearray(104)
    struct.pack_into("@I", data, 24, unacknowledged)
    struct.pack_into("@I", data, 56, silent_ms)
    return bytes(data)


@pytest.mark.parametrize(
    ("unacknowledged", "silent_ms", "gone"), [(3, 91_000, True), (3, 1000, False), (0, 10_000_000, False)]
)
def test_a_peer_that_has_long_acknowledged_nothing_is_gone(unacknowledged, silent_ms, gone):
    assert peer._has_lost_peer(info(unacknowledged, silent_ms)) is gone
    assert not peer._has_lost_peer(info(unacknowledged, silent_ms)[:40])


async def test_a_client_that_only_does_not_read_is_not_gone(monkeypatch):
    monkeypatch.setattr(peer, "SILENT_MS", 1)
    connected = asyncio.Queue()
    server = await asyncio.start_server(lambda _, writer: connected.put_nowait(writer), "127.0.0.1", 0)
    _, client = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=1)
    writer = await connected.get()
    writer.write(b"x")
    await asyncio.sleep(0.2)
    assert not peer.is_gone(writer.transport)
    for end in (client, writer, server):
        end.close()
    assert not peer.is_gone(writer.transport)
