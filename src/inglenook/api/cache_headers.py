"""How long a browser may keep a file, by its name: ComfyUI's rules, for answers that do not say it themselves."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SCRIPTS = (".js", ".mjs", ".css")
_PICTURES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
_DAY_S = 86400
_HOUR_S = 3600
_OWN = tuple(f"{api}/{name}/" for api in ("", "/api") for name in ("userdata", "view_metadata", "outputs", "image"))
"""Below these the names are those of files that users make: others must not find them in a cache between, and what is
under such a name today may be something else tomorrow."""


def cache_control(path: str, status: int) -> str | None:
    """The Cache-Control of an answer to a request for `path`, or None where there is no rule."""
    lowered = path.lower()
    last = lowered.rpartition("/")[2]
    if lowered.endswith(_SCRIPTS) or (last.startswith("index") and last.endswith(".json")):
        return "no-cache"
    if not lowered.endswith(_PICTURES):
        return None
    if 200 <= status < 300 or status in (301, 308):
        return f"public, max-age={_DAY_S}"
    if status == 404:
        return f"public, max-age={_HOUR_S}"
    return "no-cache" if status in (302, 303, 307) else None


class CacheHeaders:
    """Wraps an app: adds the rule for a path where the answer has none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and _may_have_rule(scope["path"]):
            send = _adding(send, scope["path"])
        await self._app(scope, receive, send)


def _may_have_rule(path: str) -> bool:
    return path == "/" or ("." in path and not path.startswith(_OWN))


def _adding(send: Send, path: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message.get("headers", [])
            if not any(name.lower() == b"cache-control" for name, _ in headers):
                message = {**message, "headers": [*headers, *_rules(path, message["status"])]}
        await send(message)

    return sending


def _rules(path: str, status: int) -> list[tuple[bytes, bytes]]:
    if path == "/":
        return [(b"cache-control", b"no-store, must-revalidate"), (b"pragma", b"no-cache"), (b"expires", b"0")]
    rule = cache_control(path, status)
    return [] if rule is None else [(b"cache-control", rule.encode())]
