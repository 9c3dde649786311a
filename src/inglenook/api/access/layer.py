"""The layer that every request and socket passes before the routes: who calls, and may they?

Without any key only callers on this machine are served (`local.py`), unless the setting `insecure` is on. With keys
everybody needs one, callers on this machine too: what is local today may be behind a proxy tomorrow.

A request that may pass goes on without its key, with what the key is good for (`scopes.CALLER_SCOPE`) and, when the key
belongs to a user, with that user (`identity.USER`). When a key is revoked, the sockets and streams that it opened end.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from inglenook.api import origins
from inglenook.api.access import pages, refusals, scopes
from inglenook.api.access.caller import note_keys
from inglenook.api.access.credentials import Given, given_by, without
from inglenook.api.access.keyring import KeyRing, LiveKey
from inglenook.api.access.local import remoteness
from inglenook.api.access.login import PATHS, Login
from inglenook.api.access.prompt_body import PromptBodies
from inglenook.api.access.revocation import EndingSocket, ending_stream
from inglenook.api.access.sessions import Sessions
from inglenook.api.access.throttle import Throttle
from inglenook.api.errors import ApiError
from inglenook.api.identity import USER

logger = logging.getLogger(__name__)

_OPEN = frozenset({"/health/live", "/health/ready"})
"""What load balancers ask, and what says nothing but yes or no."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who was recognised."""

    live: LiveKey
    receive: Receive
    """What the body comes from."""
    keys: frozenset[bytes]
    """The keys that the request gives and that are ours."""
    by_cookie: bool = False


class Access:
    """Wraps an app."""

    def __init__(
        self,
        app: ASGIApp,
        ring: KeyRing,
        sessions: Sessions,
        *,
        is_insecure: bool,
        allowed_hosts: tuple[str, ...],
        cors_origin: str | None,
        max_json_depth: int,
    ) -> None:
        self._app = app
        self._ring = ring
        self._sessions = sessions
        self._is_insecure = is_insecure
        self._allowed_hosts = frozenset(origins.plain(host) for host in allowed_hosts)
        self._cors_origin = cors_origin
        self._throttle = Throttle()
        self._bodies = PromptBodies(max_json_depth)
        self._login = Login(ring, sessions, self._throttle)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or _is_open(scope):
            await self._app(scope, receive, send)
            return
        try:
            judge = self._with_keys if self._ring.is_needed else self._without_keys
            verdict = await judge(scope, receive)
        except ApiError as error:
            if _tells_anybody(scope):
                await self._app({**scope, scopes.UNKNOWN_CALLER: True}, receive, send)
            else:
                await refusals.refuse(error, scope, receive, send)
            return
        if isinstance(verdict, Response) and _tells_anybody(scope):
            await self._app({**scope, scopes.UNKNOWN_CALLER: True}, receive, send)
            return
        match verdict:
            case Response():
                await verdict(scope, receive, send)
            case _Caller():
                await self._admit(scope, verdict, send)
            case None:
                await self._app(scope, receive, send)

    async def _without_keys(self, scope: Scope, receive: Receive) -> Response | None:
        """The answer to who is not served; None for who is. Raises ApiError."""
        why = None if self._is_insecure else remoteness(scope, self._allowed_hosts)
        if why is None:
            return refusals.redirect("./") if scope["type"] == "http" and scope["path"] in PATHS else None
        logger.debug("refused %s: %s", scope["path"], why)
        if _wants_page(scope):
            return pages.closed_page(_language(scope))
        raise refusals.not_from_here(why)

    async def _with_keys(self, scope: Scope, receive: Receive) -> Response | _Caller:
        """Who is served, or the answer to who is not. Raises ApiError."""
        given = given_by(scope, self._sessions.cookie_name)
        caller = self._recognised(scope, receive, given)
        if scope["type"] == "http" and scope["path"] in PATHS:
            self._check_login_page(scope)
            return await self._login.answer(scope, receive, caller.live if caller else None)
        if caller is None and PromptBodies.may_have_key(scope):
            key, receive = await self._bodies.read(scope, receive)
            if key is not None:
                given.keys.append(key)
                live = self._find(scope, key)
                caller = None if live is None else _Caller(live, receive, frozenset((key,)))
        if caller is None:
            return self._unknown(scope, given)
        self._check(scope, caller)
        return caller

    def _recognised(self, scope: Scope, receive: Receive, given: Given) -> _Caller | None:
        found = [(key, live) for key in given.keys if (live := self._find(scope, key)) is not None]
        if found:
            return _Caller(found[0][1], receive, frozenset(key for key, _ in found))
        if given.cookie is None:
            return None
        live = self._sessions.find(given.cookie)
        if live is None or not self._may_use_cookie(scope):
            return None
        return _Caller(live, receive, frozenset(), by_cookie=True)

    def _find(self, scope: Scope, key: bytes) -> LiveKey | None:
        """The live key of that text. Raises ApiError 429 for one that may have been guessed."""
        live = self._ring.find(key)
        if live is not None and live.key.is_guessable and (wait_s := self._throttle.wait_s(_address(scope))):
            raise refusals.too_many_wrong_keys(wait_s)
        return live

    def _may_use_cookie(self, scope: Scope) -> bool:
        """Whether a login counts: not for what a page of another site loads, though the browser may send the cookie
        (`SameSite` takes all ports of a host for one site)."""
        if self._cors_origin is not None:
            return True
        headers = dict(scope["headers"])
        is_foreign = headers.get(b"sec-fetch-site") in (b"cross-site", b"same-site")
        return not is_foreign or headers.get(b"sec-fetch-mode") == b"navigate"

    def _check_login_page(self, scope: Scope) -> None:
        """Forms of other sites may neither log a browser in nor out."""
        headers = dict(scope["headers"])
        if scope["method"] in _SAFE or not origins.is_from_browser(headers):
            return
        if not origins.is_own_page(headers, self._allowed_hosts, self._cors_origin):
            raise refusals.foreign_page()

    def _check(self, scope: Scope, caller: _Caller) -> None:
        """Raises ApiError 403 when the caller may not do this."""
        is_socket = scope["type"] == "websocket"
        if caller.by_cookie and (is_socket or scope["method"] not in _SAFE):
            headers = dict(scope["headers"])
            if not origins.is_own_page(headers, self._allowed_hosts, self._cors_origin):
                raise refusals.foreign_page()
        needed = scopes.needed("GET" if is_socket else scope["method"], scopes.bare(scope["path"]))
        key = caller.live.key
        if key.scope < needed:
            raise refusals.scope_too_small(needed.label, key.scope.label)

    def _unknown(self, scope: Scope, given: Given) -> Response:
        """The answer to who gives no key, or none of ours. Raises ApiError."""
        if given.keys:
            address = _address(scope)
            if self._throttle.note_wrong(address):
                logger.warning("a wrong key was given from %s", address)
            wait_s = self._throttle.wait_s(address)
            raise refusals.too_many_wrong_keys(wait_s) if wait_s else refusals.key_wrong()
        if _wants_page(scope):
            return refusals.redirect(Login.address_for(scope))
        raise refusals.key_missing()

    async def _admit(self, scope: Scope, caller: _Caller, send: Send) -> None:
        live, receive = caller.live, caller.receive
        self._ring.used(live)
        note_keys(caller.keys)
        scope = without(scope, caller.keys, self._sessions.cookie_name)
        scope[scopes.CALLER_SCOPE] = live.key.scope
        if live.key.user is not None:
            scope[USER] = live.key.user
        if scope["type"] == "websocket":
            async with contextlib.aclosing(EndingSocket(live.ended, receive, send)) as socket:
                await self._app(scope, socket.receive, socket.send)
            return
        try:
            await self._app(scope, receive, ending_stream(live.ended, send))
        except Exception:
            if not live.ended.is_set():
                raise
            logger.info("an answer to the key %s broke off: it was revoked", live.key.id)


def _is_open(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] == "GET" and scopes.bare(scope["path"]) in _OPEN


def _tells_anybody(scope: Scope) -> bool:
    """Whether even those who may do nothing get an answer, of one word."""
    return scope["type"] == "http" and scope["method"] == "GET" and scopes.bare(scope["path"]) == "/health"


def _wants_page(scope: Scope) -> bool:
    """Whether somebody types or follows an address in a browser; plain http has no Sec-Fetch-Mode."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    headers = dict(scope["headers"])
    mode = headers.get(b"sec-fetch-mode")
    return b"text/html" in headers.get(b"accept", b"") and mode in (None, b"navigate")


def _address(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def _language(scope: Scope) -> str:
    return Headers(scope=scope).get("accept-language", "")
