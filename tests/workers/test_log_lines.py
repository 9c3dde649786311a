"""What a device process writes to its standard error."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from inglenook.workers.log_lines import LogLines

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent / "src")}
_PROGRAM = """
import logging, sys
from inglenook.workers.log_lines import send_records
send_records("info")
logging.debug("quiet")
logging.getLogger("pack").info("two\\nlines")
print("printed", file=sys.stderr)
sys.stderr.close()
sys.stderr = sys.__stderr__ = open(2, "w", closefd=False)
logging.error("after %s", "all")
logging.log(25, "in between")
"""


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_lines_keep_their_levels_however_they_arrive(size: int) -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, env=ENVIRONMENT, check=True)
    lines = LogLines()
    pieces = [done.stderr[start : start + size] for start in range(0, len(done.stderr), size)]
    assert [line for piece in pieces for line in lines.feed(piece)] + lines.end() == [
        (logging.INFO, "two"),
        (logging.INFO, "lines"),
        (logging.INFO, "printed"),
        (logging.ERROR, "after all"),
        (logging.INFO, "in between"),
    ]


def test_what_never_ends_its_line_is_told_all_the_same() -> None:
    lines = LogLines()
    assert lines.feed(b"10%\r20%\r") == [(logging.INFO, "10%"), (logging.INFO, "20%")]
    told = lines.feed(b"x" * 70_000)
    assert [len(text) for _, text in told] == [70_000]
    assert lines.feed("<99> \xe4".encode()) == []
    assert lines.end() == [(logging.INFO, "<99> \xe4")]


def test_lines_that_come_too_fast_are_left_out_with_a_note_and_warnings_are_kept() -> None:
    now = 0.0
    lines = LogLines(lambda: now)
    told = lines.feed(b"x\n" * 100_000)
    assert len(told) == 1992  # 2000 short ones, a little longer than nothing
    assert lines.owes_note
    note = "... 98008 lines were left out, they came too fast"
    assert lines.feed(b"<40>grave\n") == [(logging.WARNING, note), (logging.ERROR, "grave")]
    assert lines.feed(b"y\n") == []
    assert lines.end() == [(logging.WARNING, "... 1 lines were left out, they came too fast")]
    now = 10.0
    assert lines.feed(b"z\n") == [(logging.INFO, "z")]
    assert len(lines.feed(b"<40>grave\n" * 10_000)) < 3000
