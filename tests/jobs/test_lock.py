"""One server per data folder."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from inglenook.jobs import DataFolderLock, DataFolderLocked

HOLD = """
import sys
from pathlib import Path
from inglenook.jobs import DataFolderLock
with DataFolderLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


async def test_second_server_is_told_who_has_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "not there yet"
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HOLD,
        str(folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"held\n"
    try:
        with pytest.raises(DataFolderLocked) as caught, DataFolderLock(folder):
            pass
        assert caught.value.pid == child.pid
        assert str(child.pid) in str(caught.value)
        assert str(folder) in str(caught.value)
    finally:
        child.kill()
        await child.wait()
    with DataFolderLock(folder):
        assert str(os.getpid()) in (folder / "inglenook.lock").read_text()


def test_lock_is_exclusive_within_a_process_too(tmp_path: Path) -> None:
    with DataFolderLock(tmp_path), pytest.raises(DataFolderLocked) as caught, DataFolderLock(tmp_path):
        pass
    assert caught.value.pid == os.getpid()
    with DataFolderLock(tmp_path):
        pass
