"""The demo workflow hangs together, and the judge's prompts cover what the demo can draw."""

from collections import Counter

import httpx
import numpy as np
import pytest
from judge import contact_sheet, counts, draw_on, judge_all, scenes
from shapes import COLOURS, SHAPES, draw

from inglenook.demo import CHECKPOINT_NAME, load_workflow


def test_workflow_loads_the_demo_checkpoint_and_saves_a_picture() -> None:
    workflow = load_workflow()
    classes = Counter(node["class_type"] for node in workflow.values())
    assert classes["SaveImage"] == 1
    loader = next(node for node in workflow.values() if node["class_type"] == "CheckpointLoaderSimple")
    assert loader["inputs"]["ckpt_name"] == CHECKPOINT_NAME


def test_every_link_of_the_workflow_leads_to_a_node() -> None:
    workflow = load_workflow()
    links = [value for node in workflow.values() for value in node["inputs"].values() if isinstance(value, list)]
    assert links
    assert all(source in workflow for source, _ in links)


def test_prompts_show_every_shape_and_every_colour_evenly() -> None:
    asked = scenes()
    assert Counter(scene.shape for scene in asked) == dict.fromkeys(SHAPES, 3)
    assert Counter(scene.foreground for scene in asked) == dict.fromkeys(COLOURS, 2)
    assert Counter(scene.background for scene in asked) == dict.fromkeys(COLOURS, 2)
    assert all(scene.foreground != scene.background for scene in asked)


@pytest.fixture(scope="module")
def drawings() -> list[np.ndarray]:
    return [(draw(scene, 128) * 255).round().astype(np.uint8) for scene in scenes()]


def test_perfect_pictures_get_full_counts(drawings: list[np.ndarray]) -> None:
    cases, _ = judge_all(lambda _prompt, seed: drawings[seed])
    assert counts(cases) == {"background": 24, "foreground": 24, "shape": 24}


def test_pictures_of_other_prompts_do_not_pass(drawings: list[np.ndarray]) -> None:
    cases, pictures = judge_all(lambda _prompt, seed: drawings[(seed + 1) % 24])
    assert all(right <= 2 for right in counts(cases).values())
    assert contact_sheet(cases, pictures).width > 6 * 128


def test_a_refused_workflow_ends_the_run_with_the_servers_words() -> None:
    refusal = httpx.MockTransport(lambda _request: httpx.Response(400, json={"error": "no such checkpoint"}))
    with (
        httpx.Client(base_url="http://server", transport=refusal) as client,
        pytest.raises(SystemExit, match="no such checkpoint"),
    ):
        draw_on(client, load_workflow())("a red circle", 0)
