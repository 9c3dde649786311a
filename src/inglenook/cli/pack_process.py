"""Imports a node pack in a process of its own and tells what became of it, whatever the pack does to that process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from inglenook.packs.discovery import Pack
from inglenook.packs.report import PackReport

_KEPT_OUTPUT_BYTES = 64 << 10
_DRAIN_LIMIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a pack, and what it printed."""

    report: PackReport
    output: str
    """The last 64 KB."""


def check_pack(pack: Pack, base: Path, timeout_s: float) -> Checked:
    """Import `pack` as a server with the base folder `base` would; for at most `timeout_s`."""
    with tempfile.TemporaryDirectory(prefix="inglenook-check-") as folder:
        report_file = Path(folder, "report.json")
        command = [sys.executable, "-m", "inglenook.packs.check", str(pack.path)]
        process = subprocess.Popen(
            [*command, "--base-directory", str(base), "--report", str(report_file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that what it starts can be ended with it
        )
        assert process.stdout is not None
        tail = _Tail(process.stdout)
        try:
            process.wait(timeout_s)
            death = _death(process.returncode)
        except subprocess.TimeoutExpired:
            death = f"it was not imported within {timeout_s:g} s"
        finally:
            _end(process)
        output = tail.text()
        try:
            report = msgspec.json.decode(report_file.read_bytes(), type=PackReport)
        except (OSError, msgspec.DecodeError):
            report = PackReport(pack.name, str(pack.path), error=death)
    return Checked(report, output)


def _death(code: int) -> str:
    if code >= 0:
        return f"it ended the process with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"the process died of it by signal {-code} ({signal.Signals(-code).name})"
    return f"the process died of it by signal {-code}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and everything that it started and left in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class _Tail:
    """Reads a stream to its end and keeps the last bytes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._read, name="output", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while data := os.read(self._stream.fileno(), 1 << 16):
            self._kept += data
            del self._kept[:-_KEPT_OUTPUT_BYTES]

    def text(self) -> str:
        """What was kept; a process that has left the group may still hold the stream, and is not waited for."""
        self._thread.join(_DRAIN_LIMIT_S)
        if not self._thread.is_alive():
            self._stream.close()
        return bytes(self._kept).decode("utf-8", "replace")
