"""`/login` and `/logout`: a key for a cookie, since `<img>`, sockets and the editor send no headers.

All addresses are relative, so that a proxy may serve this under a path of its own, and so that `next` cannot lead to
another site: behind `./` nothing is read as one.
"""

from __future__ import annotations

import asyncio
import logging
import math
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope

from inglenook.api.access import pages
from inglenook.api.access.keyring import KeyRing, LiveKey
from inglenook.api.access.refusals import redirect
from inglenook.api.access.sessions import LIFETIME_S, Sessions
from inglenook.api.access.throttle import Throttle
from inglenook.api.errors import ApiError

logger = logging.getLogger(__name__)

PATHS = frozenset({"/login", "/logout"})
_FORM_BYTES = 8192
_PATIENCE_S = 20.0
_NEXT_LIMIT = 2000


class Login:
    """Answers requests to PATHS on a server that needs keys."""

    def __init__(self, ring: KeyRing, sessions: Sessions, throttle: Throttle) -> None:
        self._ring = ring
        self._sessions = sessions
        self._throttle = throttle

    async def answer(self, scope: Scope, receive: Receive, live: LiveKey | None) -> Response:
        """live: the key of the session that the request has. Raises ApiError 405, 408, 413."""
        request = Request(scope, receive)
        method, path = scope["method"], scope["path"]
        if path == "/logout":
            if method != "POST":
                raise _not_allowed("POST", path)
            return redirect("./login", {"Set-Cookie": self._cookie(scope, "", 0)})
        if method == "GET":
            return self._page(request, live)
        if method != "POST":
            raise _not_allowed("GET,HEAD,POST", path)
        return await self._log_in(request)

    @staticmethod
    def address_for(scope: Scope) -> str:
        """Where a browser is sent that is not logged in, relative to where it wanted to go."""
        path = scope.get("raw_path") or quote(scope["path"]).encode()
        wanted = path + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        up = "../" * (path.count(b"/") - 1) or "./"
        then = safe_next(wanted.decode("latin-1"))
        return f"{up}login?next={quote(then, safe='')}" if then else f"{up}login"

    def _page(self, request: Request, live: LiveKey | None) -> Response:
        language = request.headers.get("accept-language", "")
        if live is not None:
            return pages.logged_in_page(language, live.key.name)
        return pages.login_page(language, safe_next(request.query_params.get("next", "")))

    async def _log_in(self, request: Request) -> Response:
        key, then = await _fields(request)
        then, language = safe_next(then), request.headers.get("accept-language", "")
        address = request.client.host if request.client else None
        live = self._ring.find(key.strip().encode("utf-8", "replace"))
        wait_s = self._throttle.wait_s(address)
        if wait_s and (live is None or live.key.is_guessable):
            return pages.login_page(language, then, problem="wait", seconds=math.ceil(wait_s), status=429)
        if live is None:
            if self._throttle.note_wrong(address):
                logger.warning("a wrong key was given at /login from %s", address)
            return pages.login_page(language, then, problem="wrong", status=401)
        self._ring.used(live)
        logger.info("a browser at %s has logged in with the key %s (%s)", address, live.key.id, live.key.name)
        cookie = self._cookie(request.scope, self._sessions.made_for(live).decode(), LIFETIME_S)
        return redirect(f"./{then}", {"Set-Cookie": cookie})

    def _cookie(self, scope: Scope, value: str, seconds: int) -> str:
        name = self._sessions.cookie_name.decode()
        secure = "; Secure" if _is_secure(scope) else ""
        return f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def safe_next(wanted: str) -> str:
    """An address on this server relative to `/login`; empty for what cannot be one, or leads to `/login` again."""
    path = wanted.lstrip("/\\")
    if len(path) > _NEXT_LIMIT or not path.isprintable() or not path.isascii() or "\\" in path or " " in path:
        return ""
    return "" if path.partition("?")[0].partition("/")[0] in ("login", "logout") else path


def _is_secure(scope: Scope) -> bool:
    """Whether the browser sees https; a proxy in between says so, or the browser itself by the origin of the form."""
    if scope["scheme"] == "https":
        return True
    headers = Headers(scope=scope)
    return headers.get("x-forwarded-proto", "").startswith("https") or headers.get("origin", "").startswith("https:")


async def _fields(request: Request) -> tuple[str, str]:
    """`key` and `next` of a form; empty where it has none. Raises ApiError 400, 408, 413."""
    body = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            async for piece in request.stream():
                body += piece
                if len(body) > _FORM_BYTES:
                    raise ApiError(413, "too_large", "This is no form of /login", headers={"Connection": "close"})
        fields = parse_qs(body.decode("latin-1"), max_num_fields=10, encoding="utf-8", errors="replace")
    except TimeoutError:
        raise ApiError(408, "too_slow", "The form did not come in time", headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise ApiError(400, "incomplete_body", "The client went away") from None
    except ValueError:
        raise ApiError(400, "invalid_form", "This is no form of /login") from None
    return fields.get("key", [""])[0], fields.get("next", [""])[0]


def _not_allowed(methods: str, path: str) -> ApiError:
    return ApiError(405, "method_not_allowed", f"{path} takes {methods}", headers={"Allow": methods})
