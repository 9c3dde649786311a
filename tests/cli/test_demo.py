"""`inglenook demo`: from nothing to a picture that shows what the prompt said."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from inglenook.cli.demo import demo_graph
from inglenook.demo import checkpoint_path
from tests.cli.conftest import Run


def test_the_prompt_goes_to_the_positive_side_only() -> None:
    graph = demo_graph("a green star", 7)
    texts = [node["inputs"]["text"] for node in graph.values() if node["class_type"] == "CLIPTextEncode"]
    assert texts.count("a green star") == 1
    assert [node["inputs"]["seed"] for node in graph.values() if "seed" in node["inputs"]] == [7]


@pytest.mark.skipif(not checkpoint_path().exists(), reason="the demo checkpoint is not there")
def test_a_picture_appears_and_nothing_else(run: Run, tmp_path: Path) -> None:
    done = run("demo", "--cpu", "--prompt", "a red circle on a blue background")
    assert done.returncode == 0, done.stderr
    assert "demo/inglenook-demo.png" in done.stdout
    assert [path.name for path in tmp_path.rglob("*")] == ["demo", "inglenook-demo.png"]
    with Image.open(tmp_path / "demo/inglenook-demo.png") as picture:
        red, green, blue = picture.convert("RGB").getpixel((4, 4))
    assert blue > 1.5 * max(red, green)
