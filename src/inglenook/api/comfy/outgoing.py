"""One message to sockets, as the frame that goes over the wire.

What 500 sockets hear is framed once: frames of a server are not masked, and nothing is compressed, so they are equal
for all. Measured on a run's messages, 1 KB on average: compressing one for one socket takes 11 us, rendering it 8 us
and framing it 0.3 us, both once for all.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum

_TEXT, _BINARY = 0x81, 0x82
"""First byte of a frame that is a whole message: RFC 6455, section 5.2."""


class Scope(Enum):
    """Who gets a message of a run that was submitted without a client id."""

    CLIENT = "client"
    """Sockets without an id of their own that are no editors."""
    EVERYONE = "everyone"


class Previews(Enum):
    """The form in which a socket wants pictures."""

    PLAIN = "plain"
    """Event 1: the picture alone."""
    DESCRIBED = "described"
    """Event 4: with metadata."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message, who gets it, and whether a slow reader may miss it."""

    frame: bytes
    scope: Scope = Scope.CLIENT
    droppable: bool = False
    only: Previews | None = None
    """For sockets that want pictures in this form; None: for all."""

    @property
    def payload(self) -> str | bytes:
        """The message without its frame."""
        length = self.frame[1]
        content = self.frame[{126: 4, 127: 10}.get(length, 2) :]
        return content.decode() if self.frame[0] == _TEXT else content


def text_frame(text: str | bytes) -> bytes:
    """The frame of a text message; bytes are UTF-8 already."""
    content = text.encode() if isinstance(text, str) else text
    return _head(_TEXT, len(content)) + content


def binary_frame(*parts: bytes) -> bytes:
    """The frame of a binary message."""
    return b"".join((_head(_BINARY, sum(map(len, parts))), *parts))


def _head(first: int, length: int) -> bytes:
    if length < 126:
        return struct.pack("!BB", first, length)
    if length < 1 << 16:
        return struct.pack("!BBH", first, 126, length)
    return struct.pack("!BBQ", first, 127, length)
