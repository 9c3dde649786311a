"""Keeps the key of a remote server out of the log."""

from __future__ import annotations

import logging
from contextlib import suppress

from inglenook.client.blackening import Blackener

_FORMATTER = logging.Formatter()


class WithoutKey(logging.Filter):
    """Takes a key out of the records of a logger, tracebacks too."""

    def __init__(self, blackener: Blackener) -> None:
        super().__init__()
        self._blackener = blackener

    def filter(self, record: logging.LogRecord) -> bool:
        with suppress(Exception):  # the handler reports arguments that do not fit
            record.msg, record.args = self._blackener.text(record.getMessage()), None
        if record.exc_info:
            # Handlers would make the text of the exception anew.
            record.exc_text = self._blackener.text(_FORMATTER.formatException(record.exc_info))
            record.exc_info = None
        return True
