"""`inglenook packs`."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from inglenook.cli import packs
from inglenook.errors import SettingsError
from tests.cli.conftest import Run

NODES = """
class Acme:
    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "acme"
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 1})}}
    def run(self, value):
        return (value,)
NODE_CLASS_MAPPINGS = {"AcmeOne": Acme, "AcmeTwo": Acme, "KSampler": Acme}
"""


def make_pack(base: Path, name: str, code: str, **files: str) -> Path:
    folder = base / "custom_nodes" / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(code)
    for file, text in files.items():
        (folder / file.replace("_", ".")).write_text(text)
    return folder


# check


def test_check_shows_what_a_pack_brings(run: Run, tmp_path: Path) -> None:
    (tmp_path / "custom_nodes").mkdir()
    code = NODES + (
        "import server, folder_paths\n"
        "from . import lib\n"
        "WEB_DIRECTORY = '.'\n"
        "print('hello from', folder_paths.base_path, server.PromptServer.instance.loop.is_running())\n"
    )
    make_pack(tmp_path, "acme-pack", code, lib_py="", requirements_txt="acme-no-such>=1\ntorch<1\n")
    done = run("packs", "check", "custom_nodes/acme-pack")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("acme-pack: 2 node classes, imported in ")
    assert lines[0].endswith("1 warning")
    assert lines[1:3] == ["  AcmeOne", "  AcmeTwo"]
    assert f"scripts for the editor: {tmp_path}/custom_nodes/acme-pack" in lines
    assert "warning: class KSampler is left out: a built-in class has this name" in lines
    assert "missing requirements: acme-no-such>=1" in lines
    assert f"not met, as inglenook keeps its own: torch<1 (installed: {metadata.version('torch')})" in lines
    assert "hello from" not in done.stdout


def test_check_takes_a_single_file_anywhere(run: Run, tmp_path: Path) -> None:
    (tmp_path / "acme.py").write_text(NODES)
    done = run("packs", "check", str(tmp_path / "acme.py"))
    assert (done.returncode, done.stdout.split(":")[0]) == (0, "acme")
    done = run("packs", "check", str(make_pack(tmp_path, "folder", NODES) / "__init__.py"))
    assert (done.returncode, done.stdout.split(":")[0]) == (0, "folder")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import acme_no_such", "ModuleNotFoundError: No module named 'acme_no_such'"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("import os; os._exit(0)", "it ended the process with exit code 0"),
    ],
)
def test_check_says_why_a_pack_cannot_be_imported(run: Run, tmp_path: Path, code: str, reason: str) -> None:
    done = run("packs", "check", str(make_pack(tmp_path, "broken", code)))
    assert done.returncode == 1
    assert reason in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("inglenook: broken cannot be imported: ")


def test_check_shows_the_traceback_and_what_was_printed(run: Run, tmp_path: Path) -> None:
    code = "print('before \\x1b[31m')\ndef load():\n    raise ValueError('as asked')\nload()\n"
    done = run("packs", "check", str(make_pack(tmp_path, "broken", code)))
    assert "line 3, in load" in done.stderr
    assert "before \\x1b[31m" in done.stderr
    assert "\x1b" not in done.stderr
    crashed = run("packs", "check", str(make_pack(tmp_path, "crashing", "import ctypes\nctypes.string_at(0)\n")))
    assert "Segmentation fault" in crashed.stderr
    assert "the process died of it by signal 11 (SIGSEGV)" in crashed.stderr.splitlines()[-1]


def test_check_shows_what_a_user_can_change(run: Run, tmp_path: Path) -> None:
    pack = make_pack(
        tmp_path, "broken", "from . import bad", bad_py="x = 1\ndef f(:\n", requirements_txt="acme-no-such"
    )
    done = run("packs", "check", str(pack))
    assert done.stderr.splitlines() == [
        "Traceback (most recent call last):",
        '  File "custom_nodes/broken/__init__.py", line 1, in <module>',
        "    from . import bad",
        '  File "custom_nodes/broken/bad.py", line 2',
        "    def f(:",
        "missing requirements: acme-no-such",
        f"get them with: inglenook packs install {pack}",
        "inglenook: broken cannot be imported: SyntaxError: invalid syntax (bad.py, line 2)",
    ]
    (pack / "__init__.py").write_text("x = 1")
    assert run("packs", "check", str(pack)).stderr.splitlines()[-1] == (
        "inglenook: broken cannot be imported: the module has neither NODE_CLASS_MAPPINGS nor comfy_entrypoint"
    )


def test_check_gives_a_pack_that_hangs_up_and_ends_what_it_started(run: Run, tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "started = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open('pid', 'w').write(str(started.pid))\n"
        "while True: print('x' * 10000)\n"
    )
    pack, pid = str(make_pack(tmp_path, "slow", code)), tmp_path / "pid"
    for seconds in ("2", "6", "30"):  # on a busy machine it is given up before it is begun
        done = run("packs", "check", pack, "--timeout", seconds)
        assert done.returncode == 1
        assert f"slow cannot be imported: it was not imported within {seconds} s" in done.stderr.splitlines()[-1]
        if pid.exists() and pid.read_text():
            break
    assert len(done.stderr) < 100_000
    status = Path(f"/proc/{pid.read_text()}/stat")
    assert not status.exists() or status.read_text().split()[2] == "Z"


def test_check_does_not_wait_for_threads_of_a_pack(run: Run, tmp_path: Path) -> None:
    code = NODES + "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n"
    assert run("packs", "check", str(make_pack(tmp_path, "threads", code))).returncode == 0


@pytest.mark.parametrize("name", ["nowhere", "empty", "text.txt", "nowhere.py", "empty/nothing.py"])
def test_check_refuses_what_is_no_pack(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").touch()
    done = run("packs", "check", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"inglenook: {name} is no node pack")


# list


def test_list_tells_what_becomes_of_each_pack(run: Run, tmp_path: Path) -> None:
    make_pack(tmp_path, "acme", NODES)
    make_pack(tmp_path, "broken", "import acme_no_such", requirements_txt="acme_no_such")
    make_pack(tmp_path, "odd", "raise SystemExit(3)", pyproject_toml="[project")
    make_pack(tmp_path, "switched.disabled", NODES)
    done = run("packs", "list", "--base-directory", str(tmp_path))
    acme, broken, odd = done.stdout.splitlines()
    assert acme.startswith("acme    2 node classes, imported in ")
    assert broken == (
        "broken  cannot be imported: ModuleNotFoundError: No module named 'acme_no_such';"
        " missing requirements: acme_no_such"
    )
    assert "requirements cannot be read" in odd
    assert done.returncode == 0


def test_a_list_names_folders_that_are_no_packs(run: Run, tmp_path: Path) -> None:
    make_pack(tmp_path, "acme", NODES)
    make_pack(tmp_path, "outer/acme-main", NODES)
    (tmp_path / "custom_nodes" / "notes").mkdir()
    done = run("packs", "list", "--quick")
    assert (done.stdout, done.stderr) == ("acme\n", "outer is no pack: it has no __init__.py\n")


def test_a_quick_list_imports_nothing(run: Run, tmp_path: Path) -> None:
    make_pack(tmp_path, "acme", "open('imported', 'w')", requirements_txt="acme-no-such")
    assert run("packs", "list", "--quick").stdout == "acme  missing requirements: acme-no-such\n"
    assert not (tmp_path / "imported").exists()


def test_a_list_of_nothing_says_where_it_looked(run: Run, tmp_path: Path) -> None:
    assert run("packs", "list").stdout == f"there are no node packs in {tmp_path / 'custom_nodes'}\n"


# install


def make_wheel(folder: Path, name: str, *needs: str) -> str:
    """A wheel with one empty module; returns its path relative to the folder."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        + "".join(f"Requires-Dist: {need}\n" for need in needs),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        for file, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(file, text)
    return f"./{name}-1.0-py3-none-any.whl"


@pytest.fixture
def pip(tmp_path: Path) -> dict[str, str]:
    """An environment in which pip asks no index and installs into a folder of the test."""
    return {"PIP_NO_INDEX": "1", "PIP_TARGET": str(tmp_path / "target"), "PIP_ROOT_USER_ACTION": "ignore"}


def test_install_shows_what_it_will_do_and_does_it(run: Run, tmp_path: Path, pip: dict[str, str]) -> None:
    folder = make_pack(tmp_path, "acme", NODES, install_py="")
    wheel = make_wheel(folder, "acme_library")
    (folder / "requirements.txt").write_text(f"numpy\n{wheel}\ntorch==1.0\n")
    done = run("packs", "install", str(folder), "--yes", **pip)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"acme needs, as its requirements.txt says:\n  {wheel}\n")
    assert "not met, as inglenook keeps its own: torch==1.0" in done.stdout
    assert "the pack has an install.py too, which is not run" in done.stdout
    assert sorted(path.name for path in (tmp_path / "target").glob("*.py")) == ["acme_library.py"]


def test_install_keeps_torch_from_what_a_requirement_requires(run: Run, tmp_path: Path, pip: dict[str, str]) -> None:
    folder = make_pack(tmp_path, "acme", NODES)
    (folder / "requirements.txt").write_text(make_wheel(folder, "acme_library", "torch==1.0"))
    done = run("packs", "install", str(folder), "--yes", **pip)
    assert done.returncode == 1
    assert "these stay as they are" in done.stderr
    assert "torch" in done.stderr
    assert not (tmp_path / "target").exists()


def test_install_asks_first(run: Run, tmp_path: Path, pip: dict[str, str]) -> None:
    folder = make_pack(tmp_path, "acme", NODES)
    (folder / "requirements.txt").write_text(make_wheel(folder, "acme_library"))
    done = run("packs", "install", str(folder), **pip)  # nobody answers
    assert done.returncode == 1
    assert f"Install into {sys.prefix}?" in done.stdout
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "acme has neither requirements.txt nor pyproject.toml"),
        ("# nothing\n", "what requirements.txt of acme names is there"),
        ("numpy\npillow>=1\n", "what requirements.txt of acme names is there"),
        ("torch==1.0\n", "not met, as inglenook keeps its own: torch==1.0"),
        ("--extra-index-url https://example.invalid\nnumpy\n", "what requirements.txt of acme names is there"),
    ],
)
def test_install_says_when_there_is_nothing_to_do(run: Run, tmp_path: Path, text: str | None, said: str) -> None:
    folder = make_pack(tmp_path, "acme", "raise RuntimeError('not imported')")
    if text is not None:
        (folder / "requirements.txt").write_text(text)
    done = run("packs", "install", str(folder), PIP_NO_INDEX="1")
    assert done.returncode == 0
    assert done.stdout.startswith("nothing to install: ")
    assert said in done.stdout


def test_install_shows_a_requirement_that_pip_cannot_read(run: Run, tmp_path: Path, pip: dict[str, str]) -> None:
    folder = make_pack(tmp_path, "acme", NODES, requirements_txt="this is no requirement \x1b[2J")
    done = run("packs", "install", str(folder), "--yes", **pip)
    assert done.returncode == 1
    assert "this is no requirement \\x1b[2J" in done.stdout
    assert done.stderr.splitlines()[-1].startswith("inglenook: pip ended with exit code 1")


def test_install_without_pip_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_pack(tmp_path, "acme", NODES, requirements_txt="acme-no-such")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else find(name))
    with pytest.raises(SettingsError, match=r"no pip .* ensurepip"):
        packs.install(folder, yes=True)


def test_the_check_alone_prints_its_report(tmp_path: Path) -> None:
    folder = make_pack(tmp_path, "acme", NODES)
    command = [sys.executable, "-m", "inglenook.packs.check", str(folder), "--base-directory", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
    assert '"classes":["AcmeOne","AcmeTwo"]' in done.stdout.splitlines()[-1]
