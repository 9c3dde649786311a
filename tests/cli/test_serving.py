"""`inglenook serve`: starts, says where, stops, and says clearly why it cannot."""

from __future__ import annotations

import json
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.cli.conftest import TIMEOUT_S, Run, RunningServer


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
        content: bytes = answer.read()
        return content


def test_the_address_is_told_once_it_answers(server: RunningServer) -> None:
    assert server.ready_line.startswith("inglenook ")
    assert server.url.startswith("http://127.0.0.1:")
    assert json.loads(get(f"{server.url}/system_stats"))["devices"]


def test_a_second_server_on_the_same_data_is_refused_in_one_line(server: RunningServer, run: Run) -> None:
    folder = server.ready_line.split("folder ")[1].split(")")[0]
    done = run("serve", "--port", "0", "--base-directory", folder)
    assert done.returncode == 1
    assert done.stderr == (
        f"inglenook: another server (process {server.process.pid}) uses the data folder {folder}/user/inglenook: "
        "stop it, or give this one its own --data-dir\n"
    )


def test_a_port_in_use_is_refused_in_one_line(server: RunningServer, run: Run, tmp_path: Path) -> None:
    port = server.url.rpartition(":")[2]
    done = run("serve", "--port", port)
    assert done.returncode == 1
    assert done.stderr == (
        f"inglenook: cannot listen on 127.0.0.1 port {port}: Address already in use; another --port may be free\n"
    )
    assert not (tmp_path / "user").exists()


@pytest.mark.parametrize(("number", "options"), [(signal.SIGTERM, ["--cpu"]), (signal.SIGINT, ["--no-local"])])
def test_a_signal_ends_it_in_order(tmp_path: Path, number: signal.Signals, options: list[str]) -> None:
    server = RunningServer(tmp_path, "--port", "0", *options)
    server.process.send_signal(number)
    _, errors = server.process.communicate(timeout=TIMEOUT_S)
    assert server.process.returncode == 0
    assert "Traceback" not in errors
    assert f"stopping: {number.name}" in (tmp_path / "user/inglenook/logs/inglenook.log").read_text()


def test_options_are_stronger_than_variables_and_these_than_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("INGLENOOK_PORT=1\nINGLENOOK_OUTPUT_DIRECTORY=from_file\nINGLENOOK_DATA_DIR=data\n")
    extra = {"INGLENOOK_PORT": "2", "INGLENOOK_OUTPUT_DIRECTORY": "from_variable"}
    server = RunningServer(tmp_path, "--port", "0", "--no-local", "--input-directory", "mine", **extra)
    assert not server.url.endswith((":1", ":2"))
    assert (tmp_path / "from_variable").is_dir()
    assert (tmp_path / "mine").is_dir()
    assert (tmp_path / "data").is_dir()
    assert server.stop()[0] == 0


@pytest.mark.parametrize(
    ("options", "extra", "complaint"),
    [
        (["--port", "99999"], {}, "port (INGLENOOK_PORT) is 99999, should be less than or equal to 65535"),
        ([], {"INGLENOOK_PREVIEW_SIZE": "big"}, "preview_size (INGLENOOK_PREVIEW_SIZE) is 'big'"),
        (["--host", "no.such.host.invalid"], {}, "cannot listen on no.such.host.invalid"),
        (["--port", "0", "--base-directory", "/dev/null/x"], {}, "cannot use /dev/null"),
        (["--port", "0", "--output-directory", "/dev/null/x"], {}, "cannot use /dev/null"),
        (["--log-level", "loud"], {}, "log_level (INGLENOOK_LOG_LEVEL) is 'loud'"),
    ],
)
def test_settings_that_cannot_work_are_named(
    run: Run, options: list[str], extra: dict[str, str], complaint: str
) -> None:
    done = run("serve", *options, **extra)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_pages_elsewhere_may_call_with_the_bare_cors_option(tmp_path: Path) -> None:
    server = RunningServer(tmp_path, "--port", "0", "--no-local", "--enable-cors-header")
    request = urllib.request.Request(f"{server.url}/prompt", headers={"Origin": "http://example.com"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    server.stop()
