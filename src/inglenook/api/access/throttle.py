"""Addresses that give wrong keys again and again."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

ALLOWED = 20
"""Wrong keys of one address within WINDOW_S."""
WINDOW_S = 60.0
_ADDRESSES = 4096
"""Remembered at most; beyond it the one that was wrong longest ago is forgotten."""


class Throttle:
    """Counts wrong keys by address, in bounded memory."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[float, int]] = OrderedDict()
        """Address -> when its window began, wrong keys since then."""

    def note_wrong(self, address: str | None) -> bool:
        """Count a wrong key; whether it was the first of its window, which is worth a line in the log."""
        where = _network(address)
        began, count = self._current(where)
        self._wrong[where] = (began, count + 1)
        self._wrong.move_to_end(where)
        if len(self._wrong) > _ADDRESSES:
            self._wrong.popitem(last=False)
        return count == 0

    def wait_s(self, address: str | None) -> float:
        """How long an address must wait; 0 for one that need not."""
        if not self._wrong:
            return 0.0
        began, count = self._current(_network(address))
        return max(0.0, began + WINDOW_S - self._clock()) if count >= ALLOWED else 0.0

    def _current(self, where: str) -> tuple[float, int]:
        now = self._clock()
        began, count = self._wrong.get(where, (now, 0))
        return (began, count) if now - began < WINDOW_S else (now, 0)


def _network(address: str | None) -> str:
    """What one caller has for itself: an IPv4 address, but a /64 of IPv6."""
    if address is None or ":" not in address:
        return address or ""
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return ""
    return str(found.ipv4_mapped) if found.ipv4_mapped else found.exploded[:19]
