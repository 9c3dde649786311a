"""One server and one browser for all tests of the editor; each test has a page of its own."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import TIMEOUT_S, RunningServer
from tests.editor.chromium import ARGUMENTS, chromium, why_not

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

    from tests.editor.page import Editor

Open = Callable[..., "Editor"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = why_not()
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if reason is not None and "context" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason=reason))


def post_json(server: RunningServer, path: str, body: object) -> None:
    request = urllib.request.Request(server.url + path, json.dumps(body).encode(), method="POST")
    urllib.request.urlopen(request, timeout=TIMEOUT_S).close()


PACK = {
    "__init__.py": "NODE_CLASS_MAPPINGS = {}\nWEB_DIRECTORY = 'web'\n",
    "web/relative.js": 'import { app } from "../../scripts/app.js"\n'
    "app.registerExtension({ name: 'relative', setup() { window.packs = [...(window.packs ?? []), 'relative'] } })\n",
    "web/absolute.js": 'import { app } from "/scripts/app.js"\n'
    "app.registerExtension({ name: 'absolute', setup() { window.packs = [...(window.packs ?? []), 'absolute'] } })\n",
}
"""A node pack with scripts for the editor, written both ways in which packs name the editor's own."""


def install_pack(base: Path) -> None:
    for name, text in PACK.items():
        path = base / "custom_nodes" / "with_scripts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def wait_for_packs(server: RunningServer) -> None:
    """Wait until the packs are imported: a page that is loaded before does not have their scripts."""
    while True:
        with urllib.request.urlopen(f"{server.url}/system_stats", timeout=TIMEOUT_S) as answer:
            if json.load(answer)["system"]["custom_nodes"]:
                return
        time.sleep(0.1)


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    base = tmp_path_factory.mktemp("editor")
    install_pack(base)
    running = RunningServer(base, "--port", "0", "--cpu", "--front-end", "editor")
    wait_for_packs(running)
    post_json(running, "/api/settings", {"Comfy.TutorialCompleted": True})
    yield running
    code, errors = running.stop()
    assert code == 0, errors
    assert "Traceback" not in errors


@pytest.fixture(scope="package")
def context() -> Iterator[BrowserContext]:
    """A browser's window, whose pages share a cache. Other hosts than the server answer nothing of use."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US", service_workers="block")
        context.route(
            re.compile(r"^https://"),
            lambda route: route.fulfill(status=200, content_type="application/json", body="[]"),
        )
        yield context
        browser.close()


@pytest.fixture
def editor(context: BrowserContext, server: RunningServer) -> Iterator[Open]:
    """Open the editor at a path of the server. At the end nothing may be wrong with its pages."""
    from tests.editor.page import Editor

    opened: list[Editor] = []

    def open_at(path: str = "/editor/") -> Editor:
        opened.append(Editor(context, server.url + path))
        return opened[-1].open()

    yield open_at
    for one in opened:
        one.page.evaluate("() => localStorage.clear()")
        one.page.close()
    assert [problem for one in opened for problem in one.problems] == []
