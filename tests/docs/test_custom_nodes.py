"""The nodes that docs/custom-nodes.md shows are packs that a server loads and runs; its translation shows the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.api.live import LiveServer, picture_graph

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "custom-nodes.md").read_text()
V1, V3 = (
    next(block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if mark in block)
    for mark in ("NODE_CLASS_MAPPINGS =", "comfy_entrypoint")
)


@pytest.mark.parametrize("code", [V1, V3], ids=["V1", "V3"])
def test_a_node_of_the_page_brightens_a_picture(code: str, tmp_path: Path) -> None:
    pack = tmp_path / "custom_nodes" / "my-pack"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text(code)
    server = LiveServer(tmp_path).start()
    try:
        graph = picture_graph(0x404040, sink="SaveImage", filename_prefix="bright")
        graph["3"] = {"class_type": "Brighten", "inputs": {"image": ["1", 0], "factor": 2.0}}
        graph["2"]["inputs"]["images"] = ["3", 0]
        assert server.run(graph)["status"]["completed"]
        with Image.open(tmp_path / "output" / "bright_00001_.png") as picture:
            assert picture.getpixel((0, 0)) == (128, 128, 128)
    finally:
        server.stop()


def test_the_chinese_page_shows_the_same_code() -> None:
    pages = PAGE, (DOCS / "zh" / "custom-nodes.md").read_text()
    english, chinese = (re.findall(r"```python\n(.*?)```", page, re.DOTALL) for page in pages)
    assert english == chinese
