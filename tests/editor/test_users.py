"""The editor where users are told apart: by the header that it sends, and by keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import RunningServer
from tests.editor.test_editor import INVERTED, demo

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

    from tests.editor.page import Editor


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("users"), "--port", "0", "--cpu", "--multi-user")
    yield running
    code, errors = running.stop()
    assert code == 0, errors


def entered(context: BrowserContext, server: RunningServer, name: str) -> Editor:
    """The editor of a user who has just made an account on its first page."""
    from tests.editor.page import Editor

    shown = Editor(context, f"{server.url}/editor/")
    shown.page.goto(shown.url)
    shown.page.get_by_role("textbox").first.fill(name)
    shown.page.get_by_role("button", name="Next").click()
    shown.wait_until_usable().leave_templates()
    return shown


def test_a_user_who_was_made_in_the_editor_sees_its_runs_and_their_pictures(
    context: BrowserContext, shared: RunningServer
) -> None:
    shown = entered(context, shared, "carol")
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
