"""The demo checkpoint itself: small enough, found without configuration, and it draws what prompts say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from verdict import judge

from inglenook.demo import CHECKPOINT_NAME, checkpoint_path, load_workflow
from inglenook.media.folders import Folders
from inglenook.models.memory import ModelStore
from inglenook.nodes import registry
from inglenook.nodes.environment import Environment, using
from inglenook.settings import Settings

Draw = Callable[[str, int], np.ndarray]


def test_checkpoint_is_small_and_in_the_ordinary_layout() -> None:
    assert checkpoint_path().stat().st_size <= 20_000_000
    with safe_open(checkpoint_path(), "pt") as file:
        prefixes = {key.split(".")[0] for key in file.keys()}  # noqa: SIM118 - no mapping
        words = file.get_slice("cond_stage_model.transformer.text_model.embeddings.token_embedding.weight")
        assert words.get_shape()[0] == 49408
    assert prefixes == {"model", "first_stage_model", "cond_stage_model"}


def test_a_fresh_install_lists_the_checkpoint(tmp_path: Path) -> None:
    folders = Folders.from_settings(Settings(base_directory=tmp_path))
    assert CHECKPOINT_NAME in folders.list("checkpoints")


@pytest.fixture(scope="module")
def draw(tmp_path_factory: pytest.TempPathFactory) -> Draw:
    """Run the demo workflow up to its picture, on one thread."""
    torch.set_num_threads(1)
    folders = Folders.from_settings(Settings(base_directory=tmp_path_factory.mktemp("base")))
    environment = Environment(folders, ModelStore())
    implementations = registry.load()

    def draw(prompt: str, seed: int) -> np.ndarray:
        graph = load_workflow()
        sampler = next(node for node in graph.values() if node["class_type"] == "KSampler")
        sampler["inputs"]["seed"] = seed
        graph[sampler["inputs"]["positive"][0]]["inputs"]["text"] = prompt

        def result(node: dict[str, Any]) -> Any:
            inputs = {
                name: result(graph[value[0]])[value[1]] if isinstance(value, list) else value
                for name, value in node["inputs"].items()
            }
            return implementations[node["class_type"]].create().run(**inputs)

        with using(environment):
            (images,) = result(next(node for node in graph.values() if node["class_type"] == "VAEDecode"))
        pixels: np.ndarray = (images[0].clamp(0, 1) * 255).round().byte().numpy()
        return pixels

    return draw


@pytest.mark.parametrize(
    ("prompt", "seed", "seen"),
    [
        ("a red circle on a green background", 0, ("circle", "red", "green")),
        ("a blue square on a white background", 1, ("square", "blue", "white")),
        ("a brown heart on a pink background", 4, ("heart", "brown", "pink")),
        ("a purple ring on a black background", 6, ("ring", "purple", "black")),
    ],
)
def test_pictures_show_what_the_prompt_says(draw: Draw, prompt: str, seed: int, seen: tuple[str, str, str]) -> None:
    verdict = judge(draw(prompt, seed))
    assert (verdict.shape, verdict.foreground, verdict.background) == seen


def test_the_same_seed_draws_the_same_picture(draw: Draw) -> None:
    first, again = (draw("a red star on a white background", 3) for _ in range(2))
    assert (first == again).all()
    assert (first != draw("a red star on a white background", 4)).any()
