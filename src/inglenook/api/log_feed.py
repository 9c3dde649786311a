"""The last log records of the server and what device processes print, for clients that show them.

A handler of the root logger: what the console and the log file get, it gets too, also what nodes print, which
`workers/device.py` logs. Bounded in memory, whoever logs how much; credentials are blackened.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from inglenook.engine.secrets import redact_credentials
from inglenook.engine.values import well_formed

KEPT = 300
_LONGEST = 4096
"""Characters of one entry."""
_TELL_EVERY_S = 0.1
_PRINTED = "inglenook.device."
"""Loggers of what device processes print: shown as it was printed."""

Entry = dict[str, str]
Reader = Callable[[list[Entry]], None]


@dataclass(slots=True)
class _Listener:
    loop: asyncio.AbstractEventLoop
    tell: Reader


class LogFeed(logging.Handler):
    """Keeps the last entries, `{"t": <ISO time>, "m": <text with its line end>}`, and tells of new ones."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._fresh: deque[Entry] = deque(maxlen=KEPT)
        self._fresh_count = 0
        self._listener: _Listener | None = None
        self._is_awaited = False
        """The listener is to be told soon."""

    @contextmanager
    def attached(self, tell: Reader) -> Iterator[None]:
        """Take in every record for the time of the block; `tell` hears of new entries, on the running event loop.

        At most every 0.1 s, and at most KEPT at a time, with a note of how many were left out.
        """
        self._listener = _Listener(asyncio.get_running_loop(), tell)
        logging.getLogger().addHandler(self)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(self)
            self._listener = None

    def entries(self) -> list[Entry]:
        """The last entries, oldest first."""
        with self._guarded():
            return list(self._entries)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage() if record.name.startswith(_PRINTED) else self.format(record)
            self._add(_entry(record.created, text))
        except Exception:
            self.handleError(record)

    def _add(self, entry: Entry) -> None:
        self._entries.append(entry)
        listener = self._listener
        if listener is None:
            return
        self._fresh.append(entry)
        self._fresh_count += 1
        if not self._is_awaited:
            self._is_awaited = True
            try:
                listener.loop.call_soon_threadsafe(self._tell_soon, listener)
            except RuntimeError:  # the loop is closed
                self._listener = None

    def _tell_soon(self, listener: _Listener) -> None:
        listener.loop.call_later(_TELL_EVERY_S, self._tell, listener)

    def _tell(self, listener: _Listener) -> None:
        with self._guarded():
            entries = list(self._fresh)
            left_out = self._fresh_count - len(entries)
            self._fresh.clear()
            self._fresh_count = 0
            self._is_awaited = False
        if left_out:
            now = datetime.now().timestamp()
            entries.insert(0, _entry(now, f"... {left_out} lines are not shown, they came too fast"))
        listener.tell(entries)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()


def terminal_size() -> dict[str, int]:
    """The size for which the entries were meant."""
    size = shutil.get_terminal_size()
    return {"cols": size.columns, "rows": size.lines}


def _entry(created_s: float, text: str) -> Entry:
    text = well_formed(redact_credentials(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."))
    return {"t": datetime.fromtimestamp(created_s).isoformat(), "m": f"{text}\n"}


def as_text(entries: list[Entry]) -> str:
    """Entries as one text, as `GET /internal/logs` gives it."""
    return "".join(f"{entry['t']} - {entry['m']}" for entry in entries)


def logs_event(entries: list[Entry]) -> dict[str, Any]:
    """The data of a `logs` message."""
    return {"entries": entries, "size": terminal_size()}
