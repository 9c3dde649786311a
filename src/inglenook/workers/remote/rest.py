"""How long a server that lost a job gets no other: so that jobs go to others first."""

from __future__ import annotations

import time

_FIRST_S, _LONGEST_S = 1.0, 60.0


class Rest:
    """Of one server; longer each time in a row."""

    def __init__(self) -> None:
        self._length_s = 0.0
        self._end_s = 0.0
        """On the monotonic clock."""

    @property
    def is_on(self) -> bool:
        """Asked from other threads, too."""
        return time.monotonic() < self._end_s

    def begin(self) -> float:
        """Rest for so many seconds."""
        self._length_s = min(max(self._length_s * 2, _FIRST_S), _LONGEST_S)
        self._end_s = time.monotonic() + self._length_s
        return self._length_s

    def make_short(self) -> None:
        """A job came to its end: the next rest is a short one again."""
        self._length_s = 0.0
