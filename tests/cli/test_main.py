"""What is true of every command."""

from __future__ import annotations

import subprocess
import sys

import pytest

from inglenook import __version__
from inglenook.cli.main import with_values
from tests.cli.conftest import Run, environment

HEAVY = {"torch", "fastapi", "uvicorn", "httpx", "sqlalchemy", "numpy"}


def test_the_version_is_told(run: Run) -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"inglenook {__version__}\n")


@pytest.mark.parametrize("command", [["--version"], ["nodes"]])
def test_small_commands_load_nothing_big(command: list[str]) -> None:
    program = f"""
import sys
from inglenook.cli import main
sys.argv[1:] = {command}
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stderr.split())


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["serve", "--listen"], ["serve", "--listen=0.0.0.0,::"]),
        (["serve", "--listen", "--port", "1"], ["serve", "--listen=0.0.0.0,::", "--port", "1"]),
        (["serve", "--listen", "10.0.0.1"], ["serve", "--listen", "10.0.0.1"]),
        (["serve", "--enable-cors-header"], ["serve", "--enable-cors-header=*"]),
        (["serve", "--enable-cors-header", "*"], ["serve", "--enable-cors-header", "*"]),
    ],
)
def test_options_may_stand_bare(given: list[str], meant: list[str]) -> None:
    assert with_values(given) == meant


def test_an_unknown_option_is_a_usage_error(run: Run) -> None:
    done = run("serve", "--prot", "9000")
    assert done.returncode == 2
    assert "--prot" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_says_the_defaults(run: Run) -> None:
    shown = " ".join(run("serve", "--help").stdout.split())
    assert "Port to listen on [default: 8188]" in shown
    assert "user/inglenook under the base" in shown
