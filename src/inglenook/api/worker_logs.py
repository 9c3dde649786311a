"""The last log records of each worker, for `/api/workers/{name}/logs`.

A handler of the root logger: what a device process prints and what is logged about a remote server carries the
worker's name in the name of its logger, or as `extra={"worker": name}`. Bounded in memory, credentials are blackened.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from inglenook.engine.secrets import redact_credentials
from inglenook.engine.values import well_formed

KEPT = 300
_MOST_WORKERS = 1000
_LONGEST = 4096
_LOGGERS = ("inglenook.device.", "inglenook.remote.")

Entry = dict[str, Any]


class WorkerLogs(logging.Handler):
    """Keeps the last entries of each worker: `{"time", "level", "message"}`."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: OrderedDict[str, deque[Entry]] = OrderedDict()

    @contextmanager
    def attached(self) -> Iterator[WorkerLogs]:
        """Take in records for the time of the block."""
        logging.getLogger().addHandler(self)
        try:
            yield self
        finally:
            logging.getLogger().removeHandler(self)

    def of(self, worker: str) -> list[Entry]:
        """The last entries of a worker, oldest first."""
        self.acquire()
        try:
            return list(self._entries.get(worker, ()))
        finally:
            self.release()

    def emit(self, record: logging.LogRecord) -> None:
        worker = _worker_of(record)
        if worker is None:
            return
        try:
            text = redact_credentials(well_formed(self.format(record)))[:_LONGEST]
        except Exception:
            self.handleError(record)
            return
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entries = self._entries.setdefault(worker, deque(maxlen=KEPT))
        entries.append({"time": time, "level": record.levelname.lower(), "message": text})
        if len(self._entries) > _MOST_WORKERS:
            self._entries.popitem(last=False)


def _worker_of(record: logging.LogRecord) -> str | None:
    for prefix in _LOGGERS:
        if record.name.startswith(prefix):
            return record.name.removeprefix(prefix)
    worker = getattr(record, "worker", None)
    return worker if isinstance(worker, str) else None
