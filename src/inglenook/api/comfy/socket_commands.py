"""What clients say on their sockets: feature flags, once, and graphs to execute.

The first valid JSON message may be `{"type": "feature_flags", "data": {...}}`. At any time,
`{"type": "execute", "data": <what POST /prompt takes, or a bare graph>}` submits for this socket; the answer is
`{"type": "queued", "data": <what POST /prompt answers>}`, or an `execution_error` with the reason and the end that
simple clients wait for. One submission at a time: meanwhile nothing else is read. Everything else is ignored.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from inglenook.api.access.scopes import Scope, scope_of
from inglenook.api.bodies import parse_json_anywhere
from inglenook.api.comfy.client_socket import ClientSocket
from inglenook.api.comfy.messages import message
from inglenook.api.comfy.outgoing import Outgoing, Previews
from inglenook.api.deps import services
from inglenook.api.errors import ApiError, as_response
from inglenook.api.submission import PromptRefused, submit_body

logger = logging.getLogger(__name__)

PARSED_CHARACTERS = 64 << 10
"""Longest message that is parsed unless it submits a graph; feature flags are some hundred bytes."""
_EXECUTE = '"execute"'


class SocketCommands:
    """Reads what clients say; owns the submissions that come of it."""

    def __init__(self, features: dict[str, Any]) -> None:
        self._features = features
        self._submissions: set[asyncio.Task[None]] = set()

    async def read(self, websocket: WebSocket, socket: ClientSocket) -> int | None:
        """Read until the client leaves; return the code with which it did, None when the connection was lost."""
        is_first = True
        while True:
            try:
                received = await websocket.receive()
            except (WebSocketDisconnect, RuntimeError):
                return None
            if received["type"] == "websocket.disconnect":
                code: int | None = received.get("code")
                return code
            text = received.get("text")
            if not text:
                continue
            if _EXECUTE in text:
                said = await self._execute_if_meant(websocket, socket, text)
                is_first = is_first and not said
            elif is_first and len(text) <= PARSED_CHARACTERS:
                is_first = not self._flags(socket, text)

    async def close(self) -> None:
        """Wait for submissions under way; the dispatcher, which is closed before, takes no more."""
        await asyncio.gather(*self._submissions, return_exceptions=True)

    def _flags(self, socket: ClientSocket, text: str) -> bool:
        """Take in feature flags; return whether the message was JSON."""
        try:
            parsed = orjson.loads(text)
        except orjson.JSONDecodeError:
            return False
        if isinstance(parsed, dict) and parsed.get("type") == "feature_flags":
            flags = parsed.get("data")
            if isinstance(flags, dict):
                socket.is_editor = True
                wants_metadata = flags.get("supports_preview_metadata") is True
                socket.previews = Previews.DESCRIBED if wants_metadata else Previews.PLAIN
            socket.put([message("feature_flags", self._features)])
        return True

    async def _execute_if_meant(self, websocket: WebSocket, socket: ClientSocket, text: str) -> bool:
        """Submit the graph in a message that has `"execute"` in it somewhere; return whether it was JSON."""
        body = text.encode()
        try:
            parsed = await parse_json_anywhere(body, services(websocket).settings.max_json_depth)
        except ApiError as error:
            if text.lstrip().startswith("{") and '"type"' in text:  # somebody waits for an answer
                socket.put(refusal({"type": error.kind, "message": error.message, "details": error.details}))
            return False
        if not isinstance(parsed, dict) or parsed.get("type") != "execute":
            if isinstance(parsed, dict) and parsed.get("type") == "feature_flags":
                return self._flags(socket, text)
            return True
        # Whoever sends a graph and leaves wants it to run: the submission is not cancelled with the socket.
        submission = asyncio.create_task(_submit(websocket, socket, parsed.get("data"), len(body)))
        self._submissions.add(submission)
        submission.add_done_callback(self._submissions.discard)
        await asyncio.shield(submission)
        return True


async def _submit(websocket: WebSocket, socket: ClientSocket, data: Any, size_bytes: int) -> None:
    try:
        if scope_of(websocket) < Scope.RUN:
            raise ApiError(403, "forbidden", "The key of this socket may not run workflows")
        reply = await submit_body(
            services(websocket), data, size_bytes=size_bytes, client_id=socket.sid, user=socket.user
        )
        socket.put([message("queued", reply)])
    except PromptRefused as refused:
        socket.put(refusal(refused.error, dict(refused.node_errors)))
    except Exception as error:
        response = as_response(error)
        if response.status_code == 500:
            logger.exception("a workflow that came on a socket could not be submitted")
        socket.put(refusal(orjson.loads(bytes(response.body))["error"]))


def refusal(error: dict[str, Any], node_errors: dict[str, Any] | None = None) -> Iterator[Outgoing]:
    """The messages for a graph that was not accepted.

    error: `type`, `message`, `details` as in the answer to `POST /prompt`. The first node of `node_errors` is the one
    that the message names.
    """
    details = error.get("details") or ""
    text = error.get("message", "") + (f": {details}" if details else "")
    first = next(iter(node_errors), "") if node_errors else ""
    data = {
        "prompt_id": None,
        "node_id": first,
        "node_type": (node_errors or {}).get(first, {}).get("class_type", ""),
        "executed": [],
        "exception_message": f"{text}\n",
        "exception_type": error.get("type", "error"),
        "traceback": [],
        "current_inputs": {},
        "current_outputs": [],
        "timestamp": time.time_ns() // 1_000_000,
        "error": error,
        "node_errors": node_errors or {},
    }
    yield message("execution_error", data)
    yield message("executing", {"node": None, "prompt_id": None})
