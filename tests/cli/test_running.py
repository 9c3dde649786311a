"""`inglenook run`: results on disk, paths on stdout, faults named by the node's title."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import psutil
from PIL import Image

from tests.api.live import blocking_graph
from tests.cli.conftest import COMMAND, TIMEOUT_S, Run, RunningServer, environment


def test_a_workflow_runs_without_a_server_and_its_file_is_named(run: Run, workflow: Path, tmp_path: Path) -> None:
    done = run("run", str(workflow), "--set", "1.width=32", "--set", "Canvas.color=16711680", "--cpu")
    assert (done.returncode, done.stdout) == (0, "output/blue_00001_.png\n"), done.stderr
    with Image.open(tmp_path / "output/blue_00001_.png") as picture:
        assert picture.size == (32, 64)
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 0, 0)


def test_results_of_a_running_server_are_fetched(
    run: Run, workflow: Path, server: RunningServer, tmp_path: Path
) -> None:
    done = run("run", str(workflow), "--url", server.url, "-o", "here")
    assert done.returncode == 0, done.stderr
    (path,) = done.stdout.split()
    assert path.startswith("here/blue_")
    with Image.open(tmp_path / path) as picture:
        assert picture.size == (64, 64)


def test_faults_are_named_by_title_and_input(run: Run, workflow: Path, server: RunningServer) -> None:
    done = run("run", str(workflow), "--url", server.url, "--set", "1.width=-3")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "inglenook: the workflow was refused: Prompt outputs failed validation",
        "  Canvas (node 1): Value -3 smaller than min of 1: width",
    ]


def test_a_node_that_fails_is_named(run: Run, workflow: Path, server: RunningServer) -> None:
    done = run("run", str(workflow), "--url", server.url, "--set", "2.filename_prefix=../../out")
    assert done.returncode == 1
    assert done.stderr.startswith("inglenook: SaveImage (node 2) failed: ")
    assert "Traceback" not in done.stderr


def test_a_failing_node_of_a_pack_is_shown_with_its_line_and_a_missing_one_with_its_pack(
    run: Run, tmp_path: Path
) -> None:
    packs = tmp_path / "custom_nodes"
    packs.mkdir()
    (packs / "acme.py").write_text(
        "class Acme:\n"
        "    RETURN_TYPES, FUNCTION, OUTPUT_NODE = (), 'run', True\n"
        "    INPUT_TYPES = classmethod(lambda cls: {})\n"
        "    def run(self):\n"
        "        return {}['key']\n"
        "NODE_CLASS_MAPPINGS = {'Acme': Acme}\n"
    )
    (packs / "broken.py").write_text("import acme_no_such\n")
    (tmp_path / "a.json").write_text('{"1": {"class_type": "Acme", "inputs": {}}}')
    done = run("run", "a.json", "--cpu")
    assert done.stderr.splitlines() == [
        '  File "custom_nodes/acme.py", line 5, in run',
        "    return {}['key']",
        "inglenook: Acme (node 1) failed: KeyError: 'key'",
    ]
    (tmp_path / "a.json").write_text('{"1": {"class_type": "Lost", "inputs": {}}}')
    done = run("run", "a.json", "--cpu")
    assert done.stderr.splitlines() == [
        "inglenook: the workflow was refused: Node 'Lost' not found. The node pack that provides it may not be "
        "installed.: Node ID '#1'",
        "  pack broken: ModuleNotFoundError: No module named 'acme_no_such'",
    ]
    log = (tmp_path / "user" / "inglenook" / "logs" / "inglenook.log").read_text()
    assert "node 1 (Acme) failed: KeyError: 'key'" in log
    assert "What it needs can be installed with: inglenook packs install " in log


def test_an_input_that_the_workflow_leaves_out_can_be_set(run: Run, workflow: Path, server: RunningServer) -> None:
    workflow.write_text(workflow.read_text().replace('"width": 64, ', ""))
    done = run("run", str(workflow), "--url", server.url, "-o", "out", "--set", "1.width=16")
    assert done.returncode == 0, done.stderr


def test_a_server_that_is_not_there_is_said(run: Run, workflow: Path) -> None:
    done = run("run", str(workflow), "--url", "127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.startswith("inglenook: no answer from http://127.0.0.1:1")


def test_a_file_that_is_no_workflow_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    done = run("run", "a.json")
    assert done.returncode == 1
    assert "a.json is no API-format workflow" in done.stderr


def test_an_interrupt_ends_the_run_and_its_server(workflow: Path, tmp_path: Path) -> None:
    workflow.write_text(json.dumps(blocking_graph(1)))
    process = subprocess.Popen(
        [*COMMAND, "run", str(workflow), "--cpu"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever starts the tests in the background may have them ignore it, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    # Its folders appear when its server starts; its job then waits for the model process, and works for many seconds.
    lock = tmp_path / "user" / "inglenook" / "jobs.sqlite"
    while not lock.exists():
        assert process.poll() is None
        time.sleep(0.02)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert psutil.wait_procs(children, timeout=TIMEOUT_S)[1] == []
