"""The command line as a user meets it: a process, its output, its exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[2] / "src"
COMMAND = [sys.executable, "-m", "inglenook"]
TIMEOUT_S = 180

GRAPH: dict[str, Any] = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 255},
        "_meta": {"title": "Canvas"},
    },
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "blue"}},
}

Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(**extra: str) -> dict[str, str]:
    """The environment without settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INGLENOOK_")}
    return {**kept, "PYTHONPATH": str(SOURCE), **extra}


class RunningServer:
    """`inglenook serve` in a process of its own."""

    def __init__(self, folder: Path, *options: str, command: Sequence[str] = ("serve",), **extra: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *command, *options],
            cwd=folder,
            env=environment(**extra),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.ready_line = self.process.stdout.readline()
        found = re.search(r"https?://\S+", self.ready_line)
        if found is None:
            raise AssertionError(f"no address in {self.ready_line!r}: {self.process.communicate(timeout=TIMEOUT_S)}")
        self.url = found[0]

    def stop(self) -> tuple[int, str]:
        """Send SIGTERM and return the exit code and what went to stderr."""
        self.process.terminate()
        _, errors = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, errors


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run inglenook in a folder of its own until it ends."""

    def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env=environment(**extra),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("server"), "--port", "0", "--cpu")
    yield running
    running.stop()


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    path = tmp_path / "blue.json"
    path.write_text(json.dumps(GRAPH))
    return path
