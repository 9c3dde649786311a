"""The editor as its user has it: opened, filled with a workflow, run. It notes what a browser's console would show."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response, WebSocket

TIMEOUT_MS = 60_000

MAY_BE_MISSING = re.compile(
    r"/api/userdata/comfy\.templates\.json$|/api/userdata/user\.css$|/user\.css$"
    r"|/api/userdata\?dir=(workflows|subgraphs)&|/api/userdata/workflows/\.index\.json$"
)
"""What a new user has not got yet."""


class Editor:
    """One page with the editor. `problems`: errors of the page, its console and its requests."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.problems: list[str] = []
        self.told: list[dict[str, Any]] = []
        """What the server has told on the sockets of this page, without pictures."""
        self.pictures = 0
        """How many pictures came on the sockets: previews."""
        self.sockets: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        self.page.on("response", self._response)
        self.page.on("requestfailed", self._failed)
        self.page.on("websocket", self._socket)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        where = message.location.get("url", "")
        if message.text.startswith("Failed to load resource") and self._is_forgiven(where):
            return
        self.problems.append(f"console: {message.text} ({where})")

    def _is_forgiven(self, address: str) -> bool:
        return not address.startswith(self.origin) or MAY_BE_MISSING.search(unquote(address)) is not None

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def _response(self, response: Response) -> None:
        if response.status >= 400 and not self._is_forgiven(response.url):
            self.problems.append(f"{response.status} {response.request.method} {response.url}")

    def _failed(self, request: Request) -> None:
        # Chromium says "aborted" of answers whose empty body nobody reads, and of what was under way at a reload
        if request.url.startswith(self.origin) and request.failure != "net::ERR_ABORTED":
            self.problems.append(f"{request.failure}: {request.method} {request.url}")

    def _socket(self, socket: WebSocket) -> None:
        self.sockets.append(socket.url)
        socket.on("framereceived", self._frame)

    def _frame(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self.pictures += 1
        else:
            self.told.append(json.loads(frame))

    # What a user does

    def open(self) -> Editor:
        """Open the page and wait until it is usable."""
        self.page.goto(self.url)
        return self.wait_until_usable()

    def reload(self) -> Editor:
        """Load the page again, as F5 does."""
        self.page.reload()
        return self.wait_until_usable()

    def wait_until_usable(self) -> Editor:
        self.page.wait_for_function("() => window.app?.graph && window.app.extensionManager")
        self.page.get_by_test_id("queue-button").wait_for()
        self.page.locator("#splash-loader").wait_for(state="detached")
        return self

    def leave_templates(self) -> None:
        """Close the dialog that a first visit begins with."""
        dialog = self.page.get_by_role("dialog")
        dialog.wait_for()
        self.page.keyboard.press("Escape")
        dialog.wait_for(state="detached")

    def load(self, graph: dict[str, Any], name: str) -> None:
        """Open a workflow in API format, as dropping its file on the page does."""
        self.page.evaluate("([graph, name]) => window.app.loadApiJson(graph, name)", [graph, name])
        self.page.wait_for_function("count => window.app.graph.nodes.length === count", arg=len(graph))
        self.page.get_by_role("button", name="Fit View").click()  # pictures of nodes out of sight are not fetched

    def run(self) -> None:
        self.page.get_by_test_id("queue-button").click()

    def node_types(self) -> list[str]:
        types: list[str] = self.page.evaluate("() => window.app.graph.nodes.map(node => node.type).sort()")
        return types

    def wait_for_picture(self) -> tuple[int, int, list[int]]:
        """Wait until the node SaveImage shows a picture; return its width, height and the colour in its middle."""
        self.page.wait_for_function(
            """() => {
                const node = window.app.graph.nodes.find(node => node.type === 'SaveImage')
                return node?.imgs?.length > 0 && node.imgs[0].complete && node.imgs[0].naturalWidth > 0
            }"""
        )
        width, height, colour = self.page.evaluate(
            """() => {
                const picture = window.app.graph.nodes.find(node => node.type === 'SaveImage').imgs[0]
                const canvas = document.createElement('canvas')
                const [width, height] = [picture.naturalWidth, picture.naturalHeight]
                canvas.width = width
                canvas.height = height
                const drawing = canvas.getContext('2d')
                drawing.drawImage(picture, 0, 0)
                return [width, height, [...drawing.getImageData(width / 2, height / 2, 1, 1).data].slice(0, 3)]
            }"""
        )
        return width, height, colour

    def wait_for_told(self, kind: str, *, after: int = 0) -> dict[str, Any]:
        """Wait for a message of the server; after: how many to leave out."""
        while True:
            for message in self.told[after:]:
                if message["type"] == kind:
                    return message
            self.page.wait_for_timeout(20)
