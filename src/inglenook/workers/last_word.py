"""Which node a device process began last, in a page of memory that outlives it.

Events of short nodes travel together, up to 3 ms late; a process that dies takes those with it. The page, shared with
the parent, costs half a microsecond a node and says whom to blame. Linux only; elsewhere the last event that came has
to do.
"""

from __future__ import annotations

import mmap
import os
import struct

import msgspec

from inglenook.engine.events import NodeRef

_SIZE = 1 << 14
_LENGTH = struct.Struct("=I")
_encoder = msgspec.msgpack.Encoder()


class _Word(msgspec.Struct, array_like=True):
    job_id: str
    attempt: int
    node: NodeRef


_decoder = msgspec.msgpack.Decoder(_Word)


class LastWord:
    """One page over a descriptor that parent and child both have."""

    def __init__(self, descriptor: int) -> None:
        self._page = mmap.mmap(descriptor, _SIZE)

    @staticmethod
    def make_descriptor() -> int | None:
        """A descriptor for a new page, to be closed by the caller; None where the system has no such thing."""
        if not hasattr(os, "memfd_create"):
            return None
        descriptor = os.memfd_create("inglenook-last-word")
        os.ftruncate(descriptor, _SIZE)
        return descriptor

    def write(self, job_id: str, attempt: int, node: NodeRef) -> None:
        """Note the node that begins, unless its id is no Unicode or very long: an expansion may have any."""
        try:
            data = _encoder.encode((job_id, attempt, node))
        except UnicodeEncodeError:
            return
        if len(data) <= _SIZE - _LENGTH.size:
            self._page[: _LENGTH.size + len(data)] = _LENGTH.pack(len(data)) + data

    def read(self, job_id: str, attempt: int) -> NodeRef | None:
        """The node that this attempt at a job began last, if any was noted."""
        (length,) = _LENGTH.unpack_from(self._page)
        try:
            word = _decoder.decode(self._page[_LENGTH.size : _LENGTH.size + length])
        except (msgspec.DecodeError, UnicodeDecodeError):  # nothing yet, or the process died while it wrote
            return None
        return word.node if (word.job_id, word.attempt) == (job_id, attempt) else None

    def close(self) -> None:
        self._page.close()
