"""Where log records go: rich lines on a terminal, plain ones elsewhere, and a file that is rotated."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from inglenook.engine.secrets import redact_credentials

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_FILE_BYTES = 10 << 20
_FILES_KEPT = 5


def configure_logs(
    level: str,
    *,
    folder: Path | None = None,
    console_level: str | None = None,
    quiet: str | None = None,
    to_stdout: bool = False,
) -> None:
    """Send records of `level` and above to the console, at `console_level` if given, and to `folder/inglenook.log`.

    quiet: a logger whose records, and those of the loggers below it, go to the file alone.

    to_stdout: the console is standard output, not standard error.

    The file is opened with the first record, so a server that cannot start leaves none.
    """
    console = _console_handler(sys.stdout if to_stdout else sys.stderr)
    console.setLevel((console_level or level).upper())
    if quiet is not None:
        within = logging.Filter(quiet)
        console.addFilter(lambda record: not within.filter(record))
    handlers = [console]
    if folder is not None:
        file = _LogFile(
            folder / "inglenook.log", maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8", delay=True
        )
        file.setFormatter(logging.Formatter(_FORMAT))
        handlers.append(file)
    for handler in handlers:
        handler.addFilter(_without_credentials)
    logging.basicConfig(level=level.upper(), handlers=handlers, force=True)
    logging.captureWarnings(True)
    if level != "debug":
        # They tell of each connection and request what our own lines tell of jobs.
        for name in ("uvicorn", "httpx", "httpcore", "websockets", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)


def _without_credentials(record: logging.LogRecord) -> bool:
    """Blacken keys and tokens in a record, such as those in addresses that are requested."""
    with contextlib.suppress(Exception):  # the handler reports arguments that do not fit
        text = record.getMessage()
        clean = redact_credentials(text)
        if clean != text:
            record.msg, record.args = clean, None
    return True


class _LogFile(logging.handlers.RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        folder = Path(self.baseFilename).parent
        for made in (folder.parent, folder):  # the data folder first, which holds secrets
            made.mkdir(0o700, parents=True, exist_ok=True)
        return super()._open()


def _console_handler(stream: TextIO) -> logging.Handler:
    if stream.isatty():
        from rich.console import Console
        from rich.logging import RichHandler

        return RichHandler(console=Console(file=stream), show_path=False, log_time_format="[%X]")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(_FORMAT))
    return handler
