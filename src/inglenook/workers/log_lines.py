"""What a device process writes to its standard error: log records, and whatever nodes and libraries print.

Each line of a record begins with its level, `<30>` for a warning, so that the parent logs it as such; a line without
one was printed.
"""

from __future__ import annotations

import logging
import re
import sys

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


class LogLines:
    """Takes what comes from such a process, in pieces of any size, and gives whole lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[tuple[int, str]]:
        """The lines that are complete now, with their levels; what was printed has INFO."""
        *lines, self._rest = _LINE_END.split(self._rest + chunk)
        if len(self._rest) > _LONGEST:
            lines.append(self._rest)
            self._rest = b""
        return [_levelled(line) for line in lines if line.strip()]

    def end(self) -> list[tuple[int, str]]:
        """The last line, if it did not end."""
        return self.feed(b"\n")


def _levelled(line: bytes) -> tuple[int, str]:
    text = line.decode("utf-8", "replace").rstrip()
    mark = _LEVEL.match(text)
    return (logging.INFO, text) if mark is None else (int(mark[1]), text[mark.end() :])
