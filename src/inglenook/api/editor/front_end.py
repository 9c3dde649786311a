"""What a browser is shown, and the files of it that no other route serves."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from inglenook.api.editor import packages
from inglenook.api.editor.prefix import IS_EDITOR
from inglenook.api.editor.static_files import START_PAGE, StaticFiles, find
from inglenook.api.errors import ApiError, as_response
from inglenook.errors import SettingsError
from inglenook.settings import Settings

logger = logging.getLogger(__name__)

INSTALL = 'pip install "inglenook[editor]"'
_START = "index.html"
_NOT_INSTALLED = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>inglenook: no editor</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 15vh auto; padding: 0 1.5rem; color: #222;
  background: #faf8f5 }}
code {{ background: #eee8df; border-radius: 4px; padding: .2em .4em }}
@media (prefers-color-scheme: dark) {{ body {{ color: #ddd; background: #1c1a18 }} code {{ background: #33302c }} }}
</style></head><body>
<h1>The editor is not installed</h1>
<p>inglenook runs and answers; ComfyUI's web editor is a package of its own:</p>
<p><code>{INSTALL}</code></p>
<p>Start the server again afterwards. The API is described at <a href="../docs">/docs</a>.</p>
</body></html>
"""


@dataclass(frozen=True)
class FrontEnd:
    """The front end of one server. Packages are looked for when they are first asked for."""

    is_at_root: bool
    """Whether `/` shows it, not only `/editor/`."""
    given: Path | None = None
    """A built front end that takes the place of the packaged one."""
    files: StaticFiles = field(default_factory=StaticFiles)

    @classmethod
    def from_settings(cls, settings: Settings) -> FrontEnd:
        """Raises SettingsError for a folder that has no page."""
        root = settings.front_end_root
        if root is not None:
            root = root.expanduser().absolute()
            if not (root / _START).is_file():
                raise SettingsError(f"--front-end-root {root} has no {_START}: name the folder of a built front end")
        front_end = cls(is_at_root=settings.front_end == "editor" or root is not None, given=root)
        if front_end.is_at_root and front_end.root is None:
            logger.warning("the editor is not installed: %s", INSTALL)
        return front_end

    @cached_property
    def root(self) -> Path | None:
        """The folder of its files, or None when there is none."""
        return self.given or packages.editor_folder()

    @cached_property
    def templates(self) -> tuple[Path, ...]:
        return packages.template_folders()

    @cached_property
    def docs(self) -> Path | None:
        return packages.docs_folder()

    def find(self, path: str) -> Path | None:
        """The file of the front end at a path below `/`."""
        return None if self.root is None else find(self.root, path, is_package=self.given is None)

    def core_scripts(self) -> list[str]:
        """Addresses of the scripts that are part of it and listed with those of packs."""
        if self.root is None:
            return []
        scripts = (self.root / "extensions" / "core").rglob("*.js")
        return sorted(f"/{script.relative_to(self.root).as_posix()}" for script in scripts)

    def start_page(self, request: Request) -> Response:
        """The page that a browser opens; blocks on the disk."""
        if self.root is None:
            return HTMLResponse(_NOT_INSTALLED, 404, START_PAGE)
        return self.files.answer(self.root / _START, request.headers, START_PAGE)

    def answer(self, request: Request) -> Response | None:
        """The file that the path of a request names, if the front end has one; blocks on the disk."""
        path = request.scope["path"].removeprefix("/")
        if path == _START:
            return self.start_page(request)
        found = self.find(path)
        return None if found is None else self.files.answer(found, request.headers)


class FrontEndFiles:
    """An ASGI app: files of the front end, and for all other requests another app."""

    def __init__(self, front_end: FrontEnd, others: ASGIApp) -> None:
        self._front_end = front_end
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            request = Request(scope, receive)
            try:
                response = await asyncio.to_thread(self._front_end.answer, request)
            except ApiError as error:
                response = as_response(error)
            if response is not None:
                await response(scope, receive, send)
                return
        await self._others(scope, receive, send)


def shows_front_end(front_end: FrontEnd, scope: Scope) -> bool:
    """Whether the page at `/` is the front end for this request."""
    return front_end.is_at_root or bool(scope.get(IS_EDITOR))
