"""The keys that a request gave: for whoever must take them out of what the request brings, and keeps it."""

from __future__ import annotations

from contextvars import ContextVar

_KEYS: ContextVar[frozenset[bytes]] = ContextVar("caller_keys", default=frozenset())


def note_keys(keys: frozenset[bytes]) -> None:
    """Keep the keys of a request for the task that answers it, and for those that it starts."""
    _KEYS.set(keys)


def caller_keys() -> tuple[str, ...]:
    """The server's keys that the request in this task gave."""
    return tuple(key.decode("utf-8", "replace") for key in _KEYS.get())
