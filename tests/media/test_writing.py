"""Files are replaced whole, and a process that dies meanwhile leaves the old one and nothing else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inglenook.media import writing

DIES = """
import os, signal, sys
from pathlib import Path
from inglenook.media import writing

def pieces():
    yield b"new"
    os.kill(os.getpid(), signal.SIGKILL)

writing.replace(Path(sys.argv[1]), pieces(), flush=True)
"""


@pytest.mark.parametrize("has_unnamed_files", [True, False])
def test_a_file_is_replaced_and_nothing_else_is_left(
    tmp_path: Path, has_unnamed_files: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_HAS_UNNAMED_FILES", has_unnamed_files and writing._HAS_UNNAMED_FILES)
    path = tmp_path / "sub" / "a"
    for data in (b"one", [b"t", b"wo"]):
        writing.replace(path, data, flush=False)
    assert path.read_bytes() == b"two"

    def breaks() -> Iterator[bytes]:
        yield b"three"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        writing.replace(path, breaks(), flush=False)
    assert [(file.name, file.read_bytes()) for file in path.parent.iterdir()] == [("a", b"two")]


@pytest.mark.skipif(not writing._HAS_UNNAMED_FILES, reason="files without a name exist on Linux only")
def test_a_process_that_is_killed_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    source = Path(writing.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", DIES, path], env={**os.environ, "PYTHONPATH": str(source)}, timeout=60)
    assert done.returncode == -9
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("a", b"old")]
