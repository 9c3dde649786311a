"""What a device process writes to its standard error: log records, and whatever nodes and libraries print.

Each line of a record begins with its level, `<30>` for a warning, so that the parent logs it as such; a line without
one was printed. What is more than a log can use is left out, with a note: a node that prints a million lines would keep
the server busy with nothing else.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable

_LONGEST = 1 << 16
_LEVEL = re.compile(r"<(10|20|30|40|50)>")
_LINE_END = re.compile(rb"[\r\n]+")
_TALKATIVE = ("httpx", "httpcore", "urllib3", "PIL", "matplotlib", "numba")
"""Libraries that tell of each step that they take."""


def send_records(level: str) -> None:
    """Write this process's log records of `level` and above to standard error."""
    handler = _StandardError()
    handler.setFormatter(_Levelled("%(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


class _StandardError(logging.Handler):
    """Looks the stream up for each record: a node may have put another one in its place, and that one be closed."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


class _Levelled(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        # Standard levels alone: whatever comes in between is told as the next lower one.
        mark = f"<{min(max(record.levelno // 10 * 10, 10), 50)}>"
        return "\n".join(mark + line for line in super().format(record).splitlines())


_BURST = 2000
_PER_S = 500
"""Lines that are passed on: so many at once, so many a second for ever. A progress bar writes 10 a second."""
_BYTES_OF_ONE = 256
"""A longer line counts as several."""
_GRAVE = (b"<30>", b"<40>", b"<50>")
_GRAVE_BURST = 500
"""Warnings and errors that are passed on when nothing else is."""


class LogLines:
    """Takes what comes from such a process, in pieces of any size, and gives whole lines."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._rest = b""
        self._lines = _Allowance(_BURST, _PER_S, clock)
        self._grave = _Allowance(_GRAVE_BURST, _PER_S / 4, clock)
        self._left_out = 0

    @property
    def owes_note(self) -> bool:
        """Whether lines were left out that no note has told of."""
        return self._left_out > 0

    def feed(self, chunk: bytes) -> list[tuple[int, str]]:
        """The lines that are complete now, with their levels; what was printed has INFO."""
        *lines, self._rest = _LINE_END.split(self._rest + chunk)
        if len(self._rest) > _LONGEST:
            lines.append(self._rest)
            self._rest = b""
        told = []
        for line in lines:
            if not line or line.isspace():
                continue
            if not self._admits(line):
                self._left_out += 1
                continue
            if self._left_out:
                told.append(self.note())
            told.append(_levelled(line))
        return told

    def _admits(self, line: bytes) -> bool:
        cost = 1 + len(line) / _BYTES_OF_ONE
        # After lines were left out, some are saved up first: a note for each would be as many lines as before.
        least = cost + (_PER_S / 2 if self._left_out else 0)
        return self._lines.take(cost, least) or (line.startswith(_GRAVE) and self._grave.take(cost, cost))

    def note(self) -> tuple[int, str]:
        """The line that tells how many were left out."""
        count, self._left_out = self._left_out, 0
        return logging.WARNING, f"... {count} lines were left out, they came too fast"

    def end(self) -> list[tuple[int, str]]:
        """The last line, if it did not end."""
        last = self.feed(b"\n")
        return [*last, self.note()] if self._left_out else last


class _Allowance:
    """Fills at a constant rate, and holds `most`."""

    def __init__(self, most: float, per_s: float, clock: Callable[[], float]) -> None:
        self._most, self._per_s, self._clock = most, per_s, clock
        self._held = most
        self._filled_at = clock()

    def take(self, cost: float, least: float) -> bool:
        """Take `cost` if at least `least` is there."""
        if self._held < least:
            now = self._clock()
            self._held = min(self._most, self._held + (now - self._filled_at) * self._per_s)
            self._filled_at = now
            if self._held < least:
                return False
        self._held -= cost
        return True


def _levelled(line: bytes) -> tuple[int, str]:
    text = line.decode("utf-8", "replace").rstrip()
    mark = _LEVEL.match(text)
    return (logging.INFO, text) if mark is None else (int(mark[1]), text[mark.end() :])
