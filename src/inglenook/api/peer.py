"""Whether the machine at the other end of a connection is still there, as the kernel knows it.

A socket on which nothing is under way is probed by TCP keep-alive (`server.py`). Where something is, keep-alive rests
and Linux sends again for 15 minutes: meanwhile `is_gone` tells. A client that only does not read is not gone: its
kernel acknowledges what was sent, or the probes of its full window.
"""

from __future__ import annotations

import asyncio
import socket
import struct

SILENT_MS = 90_000
_UNACKNOWLEDGED, _SINCE_ACKNOWLEDGEMENT = 24, 56
"""Offsets in Linux's `struct tcp_info` of tcpi_unacked and tcpi_last_ack_recv (milliseconds), both 32 bits."""


def is_gone(transport: asyncio.BaseTransport) -> bool:
    """Whether something that was sent has had no acknowledgement for SILENT_MS. False where that cannot be known."""
    connection = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_INFO", None)
    if connection is None or option is None:
        return False
    try:
        return _has_lost_peer(connection.getsockopt(socket.IPPROTO_TCP, option, 104))
    except OSError:  # no TCP, or no connection any more
        return False


def _has_lost_peer(info: bytes) -> bool:
    if len(info) < _SINCE_ACKNOWLEDGEMENT + 4:
        return False
    unacknowledged: int = struct.unpack_from("@I", info, _UNACKNOWLEDGED)[0]
    silent_ms: int = struct.unpack_from("@I", info, _SINCE_ACKNOWLEDGEMENT)[0]
    return unacknowledged > 0 and silent_ms > SILENT_MS
