"""What somebody does in the editor: look at it, run workflows, keep them, come back."""

from __future__ import annotations

import copy
import json
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from inglenook.api.editor import packages
from inglenook.demo import load_workflow
from tests.cli.conftest import TIMEOUT_S, RunningServer
from tests.editor.conftest import Open, post_json

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

INVERTED: dict[str, Any] = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 512, "height": 256, "batch_size": 1, "color": 0xFF0000}},
    "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "inverted"}},
}


def get_json(server: RunningServer, path: str) -> Any:
    with urllib.request.urlopen(server.url + path, timeout=TIMEOUT_S) as answer:
        return json.load(answer)


def demo(**sampler: Any) -> dict[str, Any]:
    graph = copy.deepcopy(load_workflow())
    next(node for node in graph.values() if node["class_type"] == "KSampler")["inputs"] |= sampler
    return graph


def test_it_loads_without_a_fault(editor: Open) -> None:
    """At `/`, where ComfyUI has it; the other tests have it at `/editor/`."""
    shown = editor("/")
    assert shown.page.title().endswith("ComfyUI")
    assert {urlsplit(address).path for address in shown.sockets} == {"/ws"}
    assert shown.wait_for_told("status")["data"]["sid"]


@pytest.mark.skipif(not packages.template_folders(), reason="the template packages are not installed")
def test_who_comes_for_the_first_time_is_shown_templates(editor: Open, server: RunningServer) -> None:
    post_json(server, "/api/settings", {"Comfy.TutorialCompleted": False})
    shown = editor()
    dialog = shown.page.get_by_role("dialog")
    dialog.get_by_placeholder("Search").fill("text to image")
    card = dialog.get_by_test_id("template-workflow-image_z_image_turbo")
    for _ in range(20):  # a click while the cards are laid out anew is lost
        if dialog.count() and card.is_visible():
            card.click()
        shown.page.wait_for_timeout(1000)
        if not dialog.count():
            break
    shown.page.wait_for_function("() => window.app.graph.nodes.some(node => node.type === 'SaveImage')")
    assert get_json(server, "/api/settings/Comfy.TutorialCompleted") is True


def test_a_workflow_runs_and_its_picture_is_shown(editor: Open, server: RunningServer) -> None:
    shown = editor()
    assert {urlsplit(address).path for address in shown.sockets} == {"/editor/ws"}
    assert sorted(shown.page.evaluate("() => window.packs")) == ["absolute", "relative"], "scripts of node packs"
    shown.load(INVERTED, "invert")
    shown.run()
    assert shown.wait_for_picture() == (512, 256, [0, 255, 255])
    kinds = {message["type"] for message in shown.told}
    assert {"execution_start", "progress_state", "executed", "execution_success"} <= kinds

    shown.page.get_by_test_id("queue-overlay-toggle").click()
    shown.page.get_by_test_id("job-assets-list").get_by_text("inverted_00001_.png").wait_for()
    (job,) = get_json(server, "/api/jobs?status=completed&limit=1")["jobs"]
    assert job["preview_output"]["filename"] == "inverted_00001_.png"
    entry = get_json(server, f"/history/{job['id']}")[job["id"]]
    workflow = entry["prompt"][3]["extra_pnginfo"]["workflow"]
    assert [node["type"] for node in workflow["nodes"]] == ["EmptyImage", "ImageInvert", "SaveImage"]


def test_a_workflow_that_cannot_run_says_why(editor: Open) -> None:
    shown = editor()
    graph = copy.deepcopy(INVERTED)
    del graph["2"]["inputs"]["image"]
    shown.load(graph, "broken")
    shown.run()
    shown.page.get_by_text("Required input", exact=False).first.wait_for()
    assert any(problem.startswith("400 POST") for problem in shown.problems)
    shown.problems.clear()


def test_a_workflow_is_saved_and_opened_again(editor: Open, server: RunningServer) -> None:
    shown = editor()
    shown.load(INVERTED, "kept")
    shown.page.keyboard.press("Control+s")
    shown.page.get_by_role("button", name="Confirm").click()
    shown.page.get_by_role("button", name="Confirm").wait_for(state="detached")
    assert "kept.json" in get_json(server, "/api/userdata?dir=workflows")
    shown.page.evaluate("() => { localStorage.clear(); sessionStorage.clear() }")

    again = editor()
    again.page.get_by_test_id("workflows-tab-button").click()
    again.page.get_by_test_id("tree-node-root/kept.json").click()
    again.page.wait_for_function("() => window.app.graph.nodes.length === 3")
    assert again.node_types() == ["EmptyImage", "ImageInvert", "SaveImage"]


def test_the_demo_draws_with_previews(editor: Open) -> None:
    shown = editor()
    shown.load(demo(), "demo")
    shown.run()
    width, height, colour = shown.wait_for_picture()
    assert (width, height) == (128, 128)
    assert colour[0] > 150 > max(colour[1:]), "the middle of a red heart"
    assert shown.pictures >= 3
    steps = [message["data"] for message in shown.told if message["type"] == "progress_state"]
    assert any(node["value"] > 1 for step in steps for node in step["nodes"].values())


def test_a_page_that_is_loaded_again_picks_the_run_up(editor: Open) -> None:
    shown = editor()
    shown.load(demo(steps=400), "long")
    shown.run()
    job = shown.wait_for_told("execution_start")["data"]["prompt_id"]
    shown.wait_for_told("progress_state")
    before, pictures = len(shown.told), shown.pictures

    shown.reload()
    resumed = shown.wait_for_told("progress_state", after=before)
    assert resumed["data"]["prompt_id"] == job
    shown.page.get_by_test_id("queue-overlay-toggle").get_by_text("1 active").wait_for()
    shown.page.get_by_role("button", name="Cancel current run").click()
    assert shown.wait_for_told("execution_interrupted", after=before)["data"]["prompt_id"] == job
    shown.page.get_by_test_id("queue-overlay-toggle").get_by_text("0 active").wait_for()
    assert shown.pictures > pictures


def test_who_has_the_key_logs_in_and_works(context: BrowserContext, tmp_path: Path) -> None:
    locked = RunningServer(tmp_path, "--port", "0", "--cpu", "--api-key", "open-sesame")
    try:
        from tests.editor.page import Editor

        shown = Editor(context, f"{locked.url}/editor/")
        shown.page.goto(shown.url)
        shown.page.get_by_label("API key").fill("open-sesame")
        shown.page.get_by_role("button").click()
        shown.page.wait_for_url(shown.url)
        shown.wait_until_usable().leave_templates()
        shown.load(INVERTED, "invert")
        shown.run()
        assert shown.wait_for_picture()[:2] == (512, 256)
        assert shown.problems == []
        shown.page.close()
    finally:
        locked.stop()
