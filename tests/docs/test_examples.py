"""What the documents show works: Python examples run against a server, commands and options exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image

from inglenook.cli.commands import app
from tests.cli.conftest import GRAPH, RunningServer

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "README.zh-CN.md", "docs/getting-started.md", "docs/zh/user-guide.md"]
MORE_PAGES = [
    "docs/custom-nodes.md",
    "docs/zh/custom-nodes.md",
    "docs/editor.md",
    "docs/zh/editor.md",
    "docs/security.md",
    "docs/zh/security.md",
]
WORKFLOW: dict[str, Any] = {
    **GRAPH,
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ""}},
    "10": {"class_type": "LoadImage", "inputs": {"image": ""}},
    "11": {"class_type": "PreviewImage", "inputs": {"images": ["10", 0]}},
}


def blocks(language: str, pages: list[str] = PAGES) -> list[Any]:
    """Code blocks of a language, each with a name to tell it by."""
    return [
        pytest.param(block, id=f"{page}-{number}")
        for page in pages
        for number, block in enumerate(re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL))
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("server"), "--port", "0", "--cpu")
    yield running
    running.stop()


@pytest.mark.parametrize("example", blocks("python"))
def test_python_examples_make_files(
    example: str, server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8), "red").save("photo.png")
    graph = json.loads(json.dumps(WORKFLOW))
    if "upload_image" not in example:
        del graph["10"], graph["11"]
    Path("workflow_api.json").write_text(json.dumps(graph))
    # httpx is installed anyway and answers to the same calls.
    program = example.replace("http://127.0.0.1:8188", server.url).replace(
        "import requests", "import httpx as requests"
    )
    exec(compile(program, "example", "exec"), {"graph": graph, "workflow": graph, "Path": Path, "json": json})
    pictures = [path for path in tmp_path.rglob("*.png") if path.name != "photo.png"]
    assert [path.name for path in pictures if path.name.startswith("blue_")]
    for path in pictures:
        with Image.open(path) as picture:
            picture.load()


@pytest.mark.parametrize("example", blocks("bash", [*PAGES, *MORE_PAGES]))
def test_shown_commands_and_options_exist(example: str) -> None:
    commands: Any = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for line in example.splitlines():
        for target in re.findall(r"^make ([a-z]+)", line):
            assert target in targets
        for name, rest in re.findall(r"inglenook (\w+)(.*?)(?:#|$)", line):
            known = {option for parameter in commands[name].params for option in parameter.opts}
            assert set(re.findall(r" (-{1,2}[a-z][\w-]*)", rest)) <= known


@pytest.mark.parametrize("page", [*PAGES, *MORE_PAGES, "docs/architecture.md", "docs/settings.md", "CHANGELOG.md"])
def test_links_inside_the_repository_lead_somewhere(page: str) -> None:
    here = ROOT / page
    targets = re.findall(r"\]\(([^)#:]+)\)", here.read_text())
    missing = [target for target in targets if not (here.parent / target).exists()]
    assert missing == []
