"""Start scripts written for ComfyUI work: every option of its command line is taken, and no other."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer

from inglenook.cli import serving
from inglenook.cli.comfyui_flags import IGNORED, warning
from inglenook.cli.commands import app
from inglenook.cli.main import with_command, with_values
from tests.cli.conftest import Run, RunningServer
from tests.cli.test_serving import get

TAKEN = set(
    """
--listen --port --tls-keyfile --tls-certfile --enable-cors-header --max-upload-size --base-directory
--extra-model-paths-config --output-directory --temp-directory --input-directory --auto-launch --disable-auto-launch
--cuda-device --default-device --cuda-malloc --disable-cuda-malloc --force-fp32 --force-fp16 --fp32-unet --fp64-unet
--bf16-unet --fp16-unet --fp8_e4m3fn-unet --fp8_e5m2-unet --fp8_e8m0fnu-unet --fp16-vae --fp32-vae --bf16-vae --cpu-vae
--fp8_e4m3fn-text-enc --fp8_e5m2-text-enc --fp16-text-enc --fp32-text-enc --bf16-text-enc --force-channels-last
--directml --oneapi-device-selector --disable-ipex-optimize --supports-fp8-compute --preview-method --preview-size
--cache-classic --cache-lru --cache-none --cache-ram --use-split-cross-attention --use-quad-cross-attention
--use-pytorch-cross-attention --use-sage-attention --use-flash-attention --disable-xformers --force-upcast-attention
--dont-upcast-attention --enable-manager --disable-manager-ui --enable-manager-legacy-ui --gpu-only --highvram
--normalvram --lowvram --novram --cpu --reserve-vram --async-offload --disable-async-offload --force-non-blocking
--default-hashing-function --disable-smart-memory --deterministic --fast --disable-pinned-memory --mmap-torch-files
--disable-mmap --dont-print-server --quick-test-for-ci --windows-standalone-build --disable-metadata
--disable-all-custom-nodes --whitelist-custom-nodes --disable-api-nodes --multi-user --verbose --log-stdout
--front-end-version --front-end-root --user-directory --enable-compress-response-body --comfy-api-base --database-url
--enable-assets --offline --enable-asset-hashing --feature-flag --list-feature-flags
""".split()  # noqa: SIM905
)

Given = dict[str, object]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Given:
    """What `serve` would start with, once it is called: the settings by name, and `ignored`."""
    seen: Given = {}

    def take(options: Given, *, ignored: list[str], stop_when_started: bool) -> None:
        given = {name: value for name, value in options.items() if value is not None}
        seen.update(given, ignored=ignored, stop_when_started=stop_when_started)

    monkeypatch.setattr(serving, "run_server", take)
    return seen


def call(arguments: Sequence[str]) -> None:
    app(args=with_values(with_command(arguments)), prog_name="inglenook", standalone_mode=False)


def test_every_option_of_comfyui_is_taken() -> None:
    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    taken = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert TAKEN - taken == set()


@pytest.mark.parametrize("name", IGNORED)
def test_an_option_that_means_nothing_here_is_taken_and_noted(served: Given, name: str) -> None:
    values = {"none": [], "one": ["1"], "some": ["1", "2"]}[IGNORED[name]]
    call(["serve", name, *values, "--port", "9000"])
    assert (served["ignored"], served["port"]) == ([name], 9000)


@pytest.mark.parametrize("name", [name for name, values in IGNORED.items() if values == "some"])
def test_an_option_with_an_optional_value_may_stand_bare(served: Given, name: str) -> None:
    call([name, "--port", "9000"])
    assert (served["ignored"], served["port"]) == ([name], 9000)


def test_the_options_that_meant_nothing_are_named_together() -> None:
    text = warning(["--lowvram", "--fast", "--lowvram"])
    assert text == "these options of ComfyUI change nothing here: --lowvram, --fast"


@pytest.mark.parametrize(
    ("arguments", "name", "meant"),
    [
        (["--tls-keyfile", "k", "--tls-certfile", "c"], "tls_certfile", Path("c")),
        (["--auto-launch"], "auto_launch", True),
        (["--disable-auto-launch"], "auto_launch", False),
        (["--windows-standalone-build"], "auto_launch", True),
        (["--windows-standalone-build", "--disable-auto-launch"], "auto_launch", False),
        (["--cuda-device", "1"], "cuda_device", "1"),
        (["--default-device", "1"], "default_device", 1),
        (["--reserve-vram", "1.5"], "reserve_vram_gb", 1.5),
        (["--multi-user"], "multi_user", True),
        (["--feature-flag", "a=1", "--feature-flag", "b"], "feature_flags", ["a=1", "b"]),
        (["--strict"], "strict", True),
        (["--offline"], "offline", True),
        (["--verbose"], "log_level", "debug"),
        (["--verbose", "WARNING"], "log_level", "WARNING"),
        (["--log-stdout"], "log_to_stdout", True),
        (["--front-end", "editor"], "front_end", "editor"),
        (["--front-end-root", "web"], "front_end_root", Path("web")),
        (["--user-directory", "u"], "user_directory", Path("u")),
        (["--enable-compress-response-body"], "compress_responses", True),
        (["--database-url", "postgresql://host/jobs"], "database_url", "postgresql://host/jobs"),
        (["--extra-model-paths-config", "a", "b"], "extra_model_paths_config", [Path("a"), Path("b")]),
        (["--quick-test-for-ci"], "stop_when_started", True),
    ],
)
def test_an_option_that_means_something_acts(served: Given, arguments: list[str], name: str, meant: object) -> None:
    call(["serve", *arguments])
    assert served[name] == meant
    assert served["ignored"] == []


@pytest.mark.parametrize("url", ["sqlite:///user/comfyui.db", "sqlite:///:memory:", " SQLite:///a.db"])
def test_the_database_of_comfyuis_assets_is_not_taken_for_the_job_store(served: Given, url: str) -> None:
    call(["serve", "--database-url", url])
    assert "database_url" not in served
    assert served["ignored"] == ["--database-url"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["--listen", "--port", "1"], ["serve", "--listen", "--port", "1"]),
        (["--version"], ["--version"]),
        (["--help"], ["--help"]),
        (["-h"], ["-h"]),
        (["nodes", "--json"], ["nodes", "--json"]),
        ([], []),
    ],
)
def test_options_without_a_command_serve(given: list[str], meant: list[str]) -> None:
    assert with_command(given) == meant


@pytest.mark.parametrize(
    ("option", "near"), [("--prot", "--port"), ("--lowvrm", "--lowvram"), ("--tls-keyfil", "--tls-keyfile")]
)
def test_an_option_that_nobody_knows_is_refused_with_those_that_look_like_it(run: Run, option: str, near: str) -> None:
    done = run(option, "1")
    assert done.returncode == 2
    assert option in done.stderr
    assert near in done.stderr


def test_the_help_is_in_sections_without_what_means_nothing(run: Run) -> None:
    shown = run("serve", "--help").stdout
    assert [title for title in ("Folders:", "Devices and memory:", "Jobs:", "Node packs:") if title not in shown] == []
    assert "--lowvram" not in shown
    assert shown.index("--tls-keyfile") < shown.index("Folders:") < shown.index("--user-directory")


def test_a_start_script_of_comfyui_starts_the_server(tmp_path: Path) -> None:
    """Its page is opened, and what means nothing is said once."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >>{tmp_path}/opened\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    options = ["--port", "0", "--cpu", "--lowvram", "--fast", "fp16_accumulation", "--auto-launch"]
    options += ["--user-directory", "people", "--extra-model-paths-config", "a.yaml", "b.yaml"]
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("{}")
    server = RunningServer(tmp_path, *options, command=(), BROWSER=str(browser))
    assert json.loads(get(f"{server.url}/prompt")) == {"exec_info": {"queue_remaining": 0}}
    code, errors = server.stop()
    assert code == 0
    assert errors.count("these options of ComfyUI change nothing here: --lowvram, --fast\n") == 1
    log = (tmp_path / "people/inglenook/logs/inglenook.log").read_text()
    assert log.count("these options of ComfyUI change nothing here: --lowvram, --fast\n") == 1
    assert (tmp_path / "opened").read_text() == f"{server.url}\n"


def test_a_quick_test_ends_once_the_packs_are_there(tmp_path: Path, run: Run) -> None:
    pack = tmp_path / "custom_nodes" / "told"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\nopen('imported', 'w').close()\n")
    done = run("--quick-test-for-ci", "--port", "0", "--cpu", "--log-stdout")
    assert (done.returncode, done.stderr) == (0, "")
    assert "device process local is ready" in done.stdout
    assert (tmp_path / "imported").exists()
