"""`GET /api/task/{task_id}/events`: what happens to a task, as Server-Sent Events that can be resumed.

The id of an event is `<log>-<number>`: numbers count within one life of the server, and the log tells lives apart.
Nothing is queued for a reader: it reads the log of the run (`dispatch/event_log.py`) as fast as its client takes it.
Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inglenook.api.comfy.entries import SHORT_STATUS
from inglenook.api.deps import Services, owner, services
from inglenook.api.errors import JSONResponse
from inglenook.api.gateway.refusals import refusals
from inglenook.api.gateway.task_models import TaskEvent
from inglenook.api.gateway.task_views import typed_results
from inglenook.api.gateway.tasks import known_task
from inglenook.api.parts import taken
from inglenook.dispatch.event_log import LoggedEvent
from inglenook.dispatch.run import Run
from inglenook.jobs import Job, State

router = APIRouter(prefix="/api", tags=["tasks"])

HEARTBEAT_S = 15.0
_GATHER_S = 0.05
"""Pause after a piece, so that the steps of a quick sampler travel together."""
_MOST_AT_ONCE = 500
_LAST_ID = re.compile(r"([0-9a-f]{1,16})-([0-9]{1,15})")
_PARAMETERS = [
    {
        "name": "Last-Event-ID",
        "in": "header",
        "required": False,
        "description": "Id of the last event that was received; the stream goes on after it",
        "schema": {"type": "string"},
    },
    {
        "name": "last_event_id",
        "in": "query",
        "required": False,
        "description": "The same, for clients that cannot send headers",
        "schema": {"type": "string"},
    },
]

_STREAMED = {
    "type": "object",
    "description": "Each event; `data` is the JSON of a TaskEvent",
    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
    "required": ["id", "event", "data"],
}


@router.get(
    "/task/{task_id:path}/events",
    summary="What happens to a task, as a stream",
    response_class=Response,
    responses={
        200: {
            "description": "A stream until the task has ended; with `Accept: application/json` the events so far,"
            " without progress",
            "content": {
                "text/event-stream": {"schema": _STREAMED},
                "application/json": {"schema": {"type": "array", "items": TaskEvent.model_json_schema()}},
            },
        },
        204: {"description": "The task has ended and everything was received"},
        **refusals(404, 503),
    },
    openapi_extra={"parameters": _PARAMETERS},
)
async def get_events(request: Request, task_id: str) -> Response:
    """Send the events of a task from its acceptance to its end, each with an id.

    After a cut, `Last-Event-ID` goes on where it was: nothing but progress is lost. When the server was restarted
    meanwhile, the stream begins anew with a `state` event that has `restarted`.
    """
    server = services(request)
    job, _finished = await known_task(server, task_id, owner(request))
    run = server.dispatcher.find(task_id, owner(request))
    given = request.headers.get("last-event-id") or request.query_params.get("last_event_id") or ""
    if run is None or run.is_deleted:
        epoch, events = await _stored(server, job)
    else:
        epoch, events = run.log.epoch, None
    after, is_other_life = _resumed(given, epoch)
    if run is not None and events is None and after > run.log.last:
        after, is_other_life = 0, True
    if "application/json" in request.headers.get("accept", ""):
        kept = events if run is None or events is not None else [one for one in run.log.after(after) if _is_kept(one)]
        return JSONResponse([shown(one, epoch) for one in kept or () if one.number > after])
    if run is not None and events is None:
        if run.log.is_over and after >= run.log.last:
            return Response(status_code=204)
        return EventStream(run, after, restarted=is_other_life)
    left = [one for one in events or () if one.number > after]
    if not left and job.state.is_end:
        return Response(status_code=204)
    begin = _state_piece(job, epoch) if is_other_life else b""
    return Response(begin + _rendered(left, epoch), media_type="text/event-stream", headers=_HEADERS)


_HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}


def _is_kept(event: LoggedEvent) -> bool:
    return event.name not in ("progress", "text")


def _resumed(given: str, epoch: str) -> tuple[int, bool]:
    """The number after which a stream goes on, and whether the client comes from another life of the server."""
    match = _LAST_ID.fullmatch(given.strip())
    if match is None:
        return 0, bool(given.strip())
    return (int(match[2]), False) if match[1] == epoch else (0, True)


async def _stored(server: Services, job: Job) -> tuple[str, list[LoggedEvent]]:
    """The events of a task that is no longer in memory; of one without stored events its state alone."""
    stored = await server.store.events_of(job.id)
    if stored is not None:
        return stored["epoch"], [LoggedEvent(*event) for event in stored["events"]]
    at_ms = job.ended_ms or job.created_ms
    return f"{job.created_ms:x}", [LoggedEvent(1, "state", at_ms, {"status": job.state.value})]


def shown(event: LoggedEvent, epoch: str) -> dict[str, Any]:
    """An event as clients see it."""
    data = {**event.data}
    if event.name == "state":
        data["status"] = SHORT_STATUS[State(data["status"])]
    if "outputs" in data:
        data["results"] = typed_results({data["node"]: data["outputs"]})
    return {"id": f"{epoch}-{event.number}", "event": event.name, "time": event.time_ms, **data}


def _rendered(events: Iterable[LoggedEvent], epoch: str) -> bytes:
    return b"".join(_piece(shown(event, epoch)) for event in events)


def _piece(event: dict[str, Any]) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (
        event["id"].encode(),
        event["event"].encode(),
        orjson.dumps(event, option=orjson.OPT_NON_STR_KEYS),
    )


def _state_piece(job: Job, epoch: str) -> bytes:
    """Where a task stands, for a client whose last event is of another life of the server. It has number 0."""
    state = {"status": job.state.value, "restarted": True}
    return _rendered([LoggedEvent(0, "state", job.ended_ms or job.created_ms, state)], epoch)


class EventStream(Response):
    """The log of a run, from a number on until the run has ended, the client has gone or the server stops."""

    media_type = "text/event-stream"

    def __init__(self, run: Run, after: int, *, restarted: bool) -> None:
        self._run = run
        self._after = after
        self._first = _state_piece(run.job, run.log.epoch) if restarted else b""
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events as they come."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        log = self._run.log
        changed = log.join()
        gone = asyncio.create_task(_disconnected(receive, changed))
        try:
            await self._send_all(changed, gone, send)
        finally:
            log.leave(changed)
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone

    async def _send_all(self, changed: asyncio.Event, gone: asyncio.Task[None], send: Send) -> None:
        log = self._run.log
        piece = b": stream of a task\n\n" + self._first
        while not gone.done():
            changed.clear()
            events = _thinned(list(log.after(self._after))[:_MOST_AT_ONCE])
            if events:
                self._after = events[-1].number
                piece += _rendered(events, log.epoch)
            has_ended = log.is_over and self._after >= log.last
            if piece and not await taken(send, piece):
                return
            piece = b""
            if has_ended or log.is_closed:
                break
            if events:
                await asyncio.sleep(_GATHER_S)
                continue
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await changed.wait()
            except TimeoutError:
                piece = b": still there\n\n"
        if not gone.done():
            await send({"type": "http.response.body", "body": b""})


def _thinned(events: Sequence[LoggedEvent]) -> list[LoggedEvent]:
    """Of progress that a client is behind with, the last of each node in a row."""
    return [
        event
        for index, event in enumerate(events)
        if event.name != "progress"
        or index + 1 == len(events)
        or events[index + 1].name != "progress"
        or events[index + 1].data["node"] != event.data["node"]
    ]


async def _disconnected(receive: Receive, changed: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    changed.set()
