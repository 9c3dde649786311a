"""How soon a server's catalog is asked for again.

A server that has just come up may be importing node packs, and shows their classes a little later than the others.
"""

from __future__ import annotations

_QUICK_S = 1.0
_QUICK_FOR_S = 30.0
_LISTS_S = 120.0


class CatalogPace:
    """Often for half a minute after something happened, then at the usual interval. Times are those of one clock."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._quick_until_s = float("-inf")
        self._lists_s = float("-inf")

    def happened(self, now_s: float) -> None:
        """The server has come up, its catalog is another one, or it says that more is to come."""
        self._quick_until_s = now_s + _QUICK_FOR_S
        self._lists_s = now_s

    def is_quick(self, now_s: float) -> bool:
        return now_s < self._quick_until_s

    def asks_for_lists(self, now_s: float) -> bool:
        """Whether it is time to ask for lists of model files, which a change of the catalog does not always tell."""
        if now_s - self._lists_s < min(_LISTS_S, 4 * self._interval_s):
            return False
        self._lists_s = now_s
        return True

    def pause_s(self, now_s: float, *, is_cheap: bool) -> float:
        """is_cheap: the server can say that nothing has changed, without sending everything again."""
        return min(_QUICK_S, self._interval_s) if is_cheap and self.is_quick(now_s) else self._interval_s
