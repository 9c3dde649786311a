"""How much of a server's answers is taken in, so that a broken or hostile one costs an error and no more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one client; files have bounds of their own (`fetch`)."""

    answer_bytes: int = 1 << 30
    """Longest body of an answer, unpacked."""
    message_bytes: int = 256 << 20
    """Longest message of a socket: a full-size PNG of SaveImageWebsocket is one."""
    waiting_messages: int = 16
    """Messages of a socket that wait to be taken; more are left in the network."""
    connect_attempts: int = 4
    """How often a request that could not reach the server is made."""
