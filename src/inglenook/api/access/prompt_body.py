"""`extra_data.api_key` of `POST /prompt`: the one place where a key may stand in a body.

Whoever sends the body is not known yet, so it is smaller than other bodies may be, must come soon, and few are read at
a time. Once read, it is handed on as it came.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Message, Receive, Scope

from inglenook.api.access.scopes import bare
from inglenook.api.bodies import parse_json_anywhere
from inglenook.api.errors import ApiError

LIMIT_BYTES = 16 << 20
AT_ONCE = 16
_PATIENCE_S = 60.0


class PromptBodies:
    """Reads the bodies of callers who give no key elsewhere."""

    def __init__(self, max_depth: int) -> None:
        self._max_depth = max_depth
        self._reading = 0

    @staticmethod
    def may_have_key(scope: Scope) -> bool:
        return scope["type"] == "http" and scope["method"] == "POST" and bare(scope["path"]) == "/prompt"

    async def read(self, scope: Scope, receive: Receive) -> tuple[bytes | None, Receive]:
        """The key in the body, if there is one, and what receives the body again. Raises ApiError 413, 503, 408."""
        if self._reading >= AT_ONCE:
            text = "Too many requests without a key in a header are being read"
            raise ApiError(503, "busy", text, "Send the key as 'Authorization: Bearer'", {"Retry-After": "2"})
        self._reading += 1
        try:
            async with asyncio.timeout(_PATIENCE_S):
                body = await _read(receive)
                return await self._key(scope, body), _again(body, receive)
        except TimeoutError:
            raise ApiError(408, "too_slow", "The body did not come in time", headers={"Connection": "close"}) from None
        finally:
            self._reading -= 1

    async def _key(self, scope: Scope, body: bytes) -> bytes | None:
        if b"api_key" not in body and b"\\u" not in body:  # it may be written with escapes
            return None
        try:
            value = await parse_json_anywhere(body, self._max_depth)
        except ApiError:
            return None
        extra = value.get("extra_data") if isinstance(value, dict) else None
        key: Any = extra.get("api_key") if isinstance(extra, dict) else None
        return key.encode("utf-8", "surrogatepass") if isinstance(key, str) else None


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ApiError(400, "incomplete_body", "The client went away")
        body += message.get("body", b"")
        if len(body) > LIMIT_BYTES:
            text = f"Without a key in a header, a body may have {LIMIT_BYTES} bytes"
            raise ApiError(413, "too_large", text, "Send the key as 'Authorization: Bearer'", {"Connection": "close"})
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    is_told = False

    async def receiving() -> Message:
        nonlocal is_told
        if is_told:
            return await receive()
        is_told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving
