"""The log in the data folder."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from inglenook.cli.logs import _LogFile


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files are those of POSIX")
def test_a_log_that_makes_the_data_folder_makes_it_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        _LogFile(tmp_path / "user" / "data" / "logs" / "inglenook.log").close()
    finally:
        os.umask(before)
    data = tmp_path / "user" / "data"
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (data, data / "logs")] == [0o700, 0o700]
