"""The limit of open files, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent / "src")}

_PROGRAM = """
import resource, socket, sys
from inglenook.workers.descriptors import raise_descriptor_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (20, 200))
raise_descriptor_limit()
opened = [socket.socket() for _ in range(100)]
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_as_many_files_can_be_open_as_the_system_allows() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.stdout == "200 200\n", done.stderr
