"""The commands that a stranger types first, as far as they can be tried without installing anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TARGETS = {
    "setup": "scripts/setup.sh",
    "demo": ".venv/bin/inglenook demo",
    "serve": ".venv/bin/inglenook serve",
    "test": ".venv/bin/python -m pytest",
    "check": ".venv/bin/mypy",
}


def run(command: list[str], folder: Path = ROOT, **extra: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "VENV", "TORCH")
    }
    return subprocess.run(command, cwd=folder, env={**kept, **extra}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("target", "command"), TARGETS.items())
def test_each_target_sets_up_first(target: str, command: str) -> None:
    lines = run(["make", "-n", target]).stdout.splitlines()
    assert "scripts/setup.sh" in lines[0]
    assert any(command in line for line in lines)


def test_a_prompt_reaches_the_demo_whatever_is_in_it(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "setup.sh").write_text("")
    command = tmp_path / ".venv" / "bin" / "inglenook"
    command.parent.mkdir(parents=True)
    command.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    command.chmod(0o755)
    prompt = """a "red" circle; it's on $HOME"""
    assert run(["make", "demo"], tmp_path, PROMPT=prompt).stdout == f"demo|--prompt|{prompt}|"


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    for name in ("pyproject.toml", "constraints.txt", "scripts/setup.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_a_python_that_is_too_old_is_said(fresh: Path) -> None:
    done = run(["sh", "scripts/setup.sh"], fresh, PYTHON="false")
    assert done.returncode == 1
    assert done.stderr == "setup: PYTHON=false is not a Python of version 3.11 or newer\n"
    assert not (fresh / ".venv").exists()


def test_no_python_at_all_is_said(fresh: Path) -> None:
    tools = fresh / "tools"
    tools.mkdir()
    for name in ("cat", "cksum", "sh"):
        (tools / name).symlink_to(shutil.which(name) or "")
    done = run(["sh", "scripts/setup.sh"], fresh, PATH=str(tools))
    assert done.returncode == 1
    assert "inglenook needs Python 3.11 or newer and found no python3 at all" in done.stderr
    assert "apt-get install python3" in done.stderr


def test_an_unknown_build_of_torch_is_refused(fresh: Path) -> None:
    done = run(["sh", "scripts/setup.sh"], fresh, TORCH="gpu")
    assert done.returncode == 1
    assert "TORCH=gpu is not known" in done.stderr


def test_nothing_is_done_twice_until_the_requirements_change(fresh: Path) -> None:
    environment = fresh / ".venv" / "bin"
    environment.mkdir(parents=True)
    # A Python whose pip says what it is asked.
    (environment / "python").write_text('#!/bin/sh\n[ "$1" = -m ] && echo "$@" >>pip.log || exit 0\n')
    (environment / "python").chmod(0o755)
    setup = ["sh", "scripts/setup.sh"]
    assert run(setup, fresh).returncode == 0
    assert re.search(r"install --quiet -c constraints.txt -e \.\[engine,editor,dev\]", (fresh / "pip.log").read_text())
    (fresh / "pip.log").unlink()
    assert run(setup, fresh).stdout == ""
    assert not (fresh / "pip.log").exists()
    (fresh / "constraints.txt").write_text("")
    assert "done" in run(setup, fresh).stdout
    assert "--index-url https://example.com/cpu torch" not in (fresh / "pip.log").read_text()
    run(setup, fresh, TORCH="cpu", TORCH_INDEX="https://example.com/cpu")
    assert "--index-url https://example.com/cpu torch" in (fresh / "pip.log").read_text()


@pytest.mark.parametrize(("failing", "status"), [("none", 0), ("check", 1), ("test", 1)])
def test_continuous_integration_runs_both_and_fails_with_either(tmp_path: Path, failing: str, status: int) -> None:
    tool(tmp_path, "make", f'echo "$1"\n[ "$1" != {failing} ]')
    tool(tmp_path, "chromium", "")
    done = run([str(ROOT / ".ci" / "run")], PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert (done.returncode, done.stdout) == (status, "check\ntest\n")


@pytest.mark.parametrize("apt_get", ["exit 100", None])
def test_continuous_integration_goes_on_without_a_browser(tmp_path: Path, apt_get: str | None) -> None:
    for name in ("bash", "dirname", "id", "timeout"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    tool(tmp_path, "make", "echo $1")
    if apt_get is not None:
        tool(tmp_path, "apt-get", apt_get)
    done = run([str(ROOT / ".ci" / "run")], PATH=str(tmp_path), INGLENOOK_CHROMIUM="")
    assert (done.returncode, done.stdout) == (0, "check\ntest\n")
    assert "no Chromium here" in done.stderr


def tool(folder: Path, name: str, script: str) -> None:
    """A command that takes the place of a real one."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
