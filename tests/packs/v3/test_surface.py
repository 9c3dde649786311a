"""A pack as it is written for ComfyUI, imported through the surface."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from inglenook.packs.v3.adapter import is_v3
from tests.packs.v3.harness import Nodes

PACK = """
from typing_extensions import override
from comfy_api.latest import ComfyAPI, ComfyExtension, Input, InputImpl, IO, Types, UI, io, ui


class Invert(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Acme_Invert",
            display_name="Invert",
            category="acme",
            inputs=[io.Float.Input("amount", default=1.0, min=0.0, max=1.0, step=0.01)],
            outputs=[io.Float.Output(display_name="inverted")],
        )

    @classmethod
    def execute(cls, amount) -> io.NodeOutput:
        return io.NodeOutput(1 - amount)


class Extension(ComfyExtension):
    loaded = False

    @override
    async def on_load(self) -> None:
        self.loaded = True

    @override
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [Invert]


async def comfy_entrypoint() -> Extension:
    return Extension()
"""


@pytest.fixture
def pack(surface: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "acme_pack.py").write_text(PACK)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("acme_pack")
    sys.modules.pop("acme_pack", None)


async def test_a_pack_brings_its_classes_by_its_entry_point(pack: Any) -> None:
    extension = await pack.comfy_entrypoint()
    await extension.on_load()
    assert extension.loaded
    (node_class,) = await extension.get_node_list()
    assert is_v3(node_class)
    assert node_class.INPUT_TYPES()["required"]["amount"][0] == "FLOAT"


def test_a_class_of_a_pack_runs(pack: Any) -> None:
    nodes = Nodes(pack.Invert)
    assert nodes.value("Acme_Invert", amount=0.25) == 0.75
    nodes.close()


@pytest.mark.parametrize("version", ["latest", "v0_0_1", "v0_0_2"])
def test_every_version_has_the_names_that_packs_import(surface: None, version: str) -> None:
    module = importlib.import_module(f"comfy_api.{version}")
    for name in ("ComfyAPI", "ComfyAPISync", "ComfyExtension", "Input", "InputImpl", "Types", "io", "ui", "IO", "UI"):
        assert hasattr(module, name)
    with pytest.raises(AttributeError, match=f"comfy_api.{version}.*'Hologram'"):
        module.Hologram  # noqa: B018


def test_older_modules_name_the_same_values(surface: None) -> None:
    latest = importlib.import_module("comfy_api.latest")
    names = {
        "comfy_api.input": ("VideoInput", latest.Input.Video),
        "comfy_api.input.basic_types": ("ImageInput", latest.Input.Image),
        "comfy_api.input.video_types": ("VideoInput", latest.Input.Video),
        "comfy_api.input_impl": ("VideoFromFile", latest.InputImpl.VideoFromFile),
        "comfy_api.input_impl.video_types": ("VideoFromComponents", latest.InputImpl.VideoFromComponents),
        "comfy_api.util": ("VideoCodec", latest.Types.VideoCodec),
        "comfy_api.util.video_types": ("VideoContainer", latest.Types.VideoContainer),
    }
    for module, (name, value) in names.items():
        assert getattr(importlib.import_module(module), name) is value


def test_a_module_that_is_not_there_says_so(surface: None) -> None:
    with pytest.raises(ModuleNotFoundError, match="comfy_api.hologram"):
        importlib.import_module("comfy_api.hologram")
