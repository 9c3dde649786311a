"""`start.py`: the server as the middleware's users start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import TIMEOUT_S

SCRIPT = Path(__file__).parents[2] / "start.py"


def test_it_starts_a_server_before_another_one_without_being_installed(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), "--host", "127.0.0.1", "--port", "0", "--no-local"],
        cwd=tmp_path,
        env={**environment, "COMFYUI_COMFYUI_SERVER": "127.0.0.1:1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert "is ready at http://127.0.0.1:" in process.stdout.readline()
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, errors
    assert "127.0.0.1-1" in (tmp_path / "user/inglenook/logs/inglenook.log").read_text()


def test_its_help_is_that_of_serve(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert done.returncode == 0, done.stderr
    for option in ("--host", "--port", "--comfyui-server", "--no-local", "--remote-slots"):
        assert option in done.stdout
