"""The editor where users are told apart: by the header that it sends, or by the key that somebody logged in with."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cli.conftest import TIMEOUT_S, RunningServer
from tests.editor.test_editor import INVERTED, demo

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

    from tests.editor.page import Editor

KEY = "open-sesame-open-sesame"


def sees_its_runs(shown: Editor) -> None:
    """Run a workflow and see its picture; load the page again in a run and see its previews."""
    shown.wait_until_usable().leave_templates()
    shown.load(INVERTED, "invert")
    shown.run()
    assert shown.wait_for_picture() == (512, 256, [0, 255, 255])
    kinds = {message["type"] for message in shown.told}
    assert {"execution_start", "progress_state", "executed", "execution_success"} <= kinds

    shown.load(demo(steps=400), "long")
    before = len(shown.told)
    shown.run()
    job = shown.wait_for_told("execution_start", after=before)["data"]["prompt_id"]
    before, pictures = len(shown.told), shown.pictures
    shown.reload()
    assert shown.wait_for_told("progress_state", after=before)["data"]["prompt_id"] == job
    while shown.pictures == pictures:
        shown.page.wait_for_timeout(20)
    shown.page.get_by_test_id("queue-overlay-toggle").get_by_text("1 active").wait_for()
    shown.page.get_by_role("button", name="Cancel current run").click()
    assert shown.wait_for_told("execution_interrupted", after=before)["data"]["prompt_id"] == job
    shown.page.get_by_test_id("queue-overlay-toggle").get_by_text("0 active").wait_for()
    shown.page.evaluate("() => { localStorage.clear(); sessionStorage.clear() }")
    shown.page.close()
    assert shown.problems == []


def test_a_user_who_was_made_in_the_editor_sees_its_runs(context: BrowserContext, tmp_path: Path) -> None:
    from tests.editor.page import Editor

    server = RunningServer(tmp_path, "--port", "0", "--cpu", "--multi-user")
    try:
        shown = Editor(context, f"{server.url}/editor/")
        shown.page.goto(shown.url)
        shown.page.get_by_role("textbox").first.fill("carol")
        shown.page.get_by_role("button", name="Next").click()
        sees_its_runs(shown)
    finally:
        server.stop()


def test_whose_key_has_a_user_finds_that_one_and_sees_its_runs(context: BrowserContext, tmp_path: Path) -> None:
    from tests.editor.page import Editor

    server = RunningServer(tmp_path, "--port", "0", "--cpu", "--multi-user", "--api-key", KEY)

    def make(path: str, body: object) -> object:
        request = urllib.request.Request(server.url + path, json.dumps(body).encode(), {"X-API-Key": KEY})
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)

    try:
        users = {name: make("/users", {"username": name}) for name in ("ann", "bob")}
        made = make("/keys", {"name": "of ann", "user": users["ann"]})
        assert isinstance(made, dict)
        shown = Editor(context, f"{server.url}/editor/")
        shown.page.goto(shown.url)
        shown.page.get_by_label("API key").fill(made["key"])
        shown.page.get_by_role("button").click()
        shown.page.get_by_role("combobox").click()
        assert shown.page.get_by_role("option").all_inner_texts() == ["ann"]
        shown.page.get_by_role("option").click()
        shown.page.get_by_role("button", name="Next").click()
        sees_its_runs(shown)
    finally:
        server.stop()
