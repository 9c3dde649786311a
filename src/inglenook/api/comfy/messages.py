"""Renders events as ComfyUI's socket messages (JSON text and binary previews).

A `RunMessages` follows one run, because `progress_state` tells of all nodes so far: of up to 50 nodes each time, above
that only of those that changed, at most every 100 ms, so that bytes stay linear in the nodes.
"""

from __future__ import annotations

import logging
import math
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, assert_never

import orjson

from inglenook.api.comfy.outgoing import Outgoing, Previews, Scope, binary_frame, text_frame
from inglenook.engine.events import (
    AnyEvent,
    Blocked,
    Cached,
    Custom,
    Failed,
    ImageSent,
    Interrupted,
    NodeDone,
    NodeRef,
    NodeStarted,
    Picture,
    Progress,
    Started,
    Succeeded,
    Text,
)
from inglenook.jobs import Job, JobResult
from inglenook.media.kinds import content_type

logger = logging.getLogger(__name__)

FULL_STATE_NODES = 50
STATE_INTERVAL_S = 0.1


def message(kind: str, data: Any, scope: Scope = Scope.CLIENT, *, droppable: bool = False) -> Outgoing:
    """Return a JSON message. Raises orjson.JSONEncodeError for what JSON cannot hold."""
    return json_message({"type": kind, "data": data}, scope, droppable=droppable)


def json_message(document: dict[str, Any], scope: Scope = Scope.CLIENT, *, droppable: bool = False) -> Outgoing:
    """Return a message with fields of its own. Raises orjson.JSONEncodeError for what JSON cannot hold."""
    text = orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS, default=str)
    return Outgoing(text_frame(text), scope, droppable)


def status(remaining: int, sid: str | None = None) -> Outgoing:
    """Return the message that tells the length of the queue."""
    data: dict[str, Any] = {"status": {"exec_info": {"queue_remaining": remaining}}}
    if sid is not None:
        data["sid"] = sid
    return message("status", data)


def addressed(event: Text | Custom) -> Outgoing | None:
    """Return what an event says whose sender chooses who hears it; None when JSON cannot hold it."""
    if isinstance(event, Custom):
        return of_pack(event.name, event.data)
    name = event.node.node_id.encode()
    return Outgoing(binary_frame(struct.pack(">II", 3, len(name)), name, event.text.encode()))


def of_pack(name: str, data: Any) -> Outgoing | None:
    """Return what a node pack sends; a slow reader may miss it, since nobody knows how much of it there will be."""
    try:
        return message(name, data, droppable=True)
    except orjson.JSONEncodeError:
        logger.exception("message %.100s of a node pack could not be told", name)
        return None


def execution_end(name: str, fields: dict[str, Any], prompt_id: str) -> tuple[str, dict[str, Any]]:
    """Return type and data of the message for an event's fields, as the socket sends and history keeps it.

    name: class name of an event of `engine.events`; fields: its fields, without `outputs` and `meta`.
    """
    match name:
        case "Started":
            return "execution_start", {"prompt_id": prompt_id, "timestamp": fields["time_ms"]}
        case "Cached":
            return "execution_cached", {
                "nodes": fields["nodes"],
                "prompt_id": prompt_id,
                "timestamp": fields["time_ms"],
            }
        case "Succeeded":
            return "execution_success", {"prompt_id": prompt_id, "timestamp": fields["time_ms"]}
        case "Interrupted":
            return "execution_interrupted", {
                "prompt_id": prompt_id,
                "node_id": fields["node_id"],
                "node_type": fields["class_type"],
                "executed": fields["executed"],
                "timestamp": fields["time_ms"],
            }
        case "Failed":
            return "execution_error", {
                "prompt_id": prompt_id,
                "node_id": fields["node_id"],
                "node_type": fields["class_type"],
                "executed": fields["executed"],
                "exception_message": fields["message"],
                "exception_type": fields["exception_type"],
                "traceback": fields["traceback"],
                "current_inputs": fields["inputs"],
                "current_outputs": fields["current_outputs"],
                "timestamp": fields["time_ms"],
            }
        case _:
            raise ValueError(f"no message for {name}")


def final_messages(job: Job, result: JobResult) -> list[Outgoing]:
    """Return what a client that comes late is told of a finished job: its outputs and its end."""
    items = []
    for node_id, output in result.outputs.items():
        shown = result.meta.get(node_id, {}).get("display_node", node_id)
        data = {"node": node_id, "display_node": shown, "output": with_videos(output), "prompt_id": job.id}
        items.append(message("executed", data))
    if result.messages:
        name, fields = result.messages[-1]
        items.append(message(*execution_end(name, fields, job.id)))
    items.append(RunMessages(job.id).left())
    return items


def with_videos(output: dict[str, Any]) -> dict[str, Any]:
    """Return a node's ui data with the videos among its `images` and `gifs` also under `videos`, where some clients
    look; every way on which outputs leave the server goes through here."""
    if "videos" in output:
        return output
    lists = [items for key in ("images", "gifs") if isinstance(items := output.get(key), list | tuple)]
    videos = [item for items in lists for item in items if _is_video(item)]
    return {**output, "videos": videos} if videos else output


def _is_video(item: object) -> bool:
    """Whether a file is a video, by its format or else by its name."""
    if not isinstance(item, dict):
        return False
    kind, name = item.get("format"), item.get("filename")
    if isinstance(kind, str) and "/" in kind:
        return kind.startswith("video/")
    return isinstance(name, str) and content_type(name).startswith("video/")


class RunMessages:
    """Renders the events of one run."""

    def __init__(self, prompt_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._prompt_id = prompt_id
        self._clock = clock
        self._states: dict[str, dict[str, Any]] = {}
        self._changed: dict[str, dict[str, Any]] = {}
        self._touched = 0
        self._sent_at = float("-inf")

    def render(self, event: AnyEvent) -> Iterator[Outgoing]:
        """Yield the messages of an event, in ComfyUI's order."""
        match event:
            case Started() | Cached() | Succeeded():
                yield from self._end(event)
            case Failed():
                yield from self._end(event)
            case Interrupted():
                yield from self._end(event, Scope.EVERYONE)
            case NodeStarted(node=node):
                yield from self._state(node, 0.0, 1.0, "running")
                yield message(
                    "executing", {"node": node.node_id, "display_node": node.display_id, "prompt_id": self._prompt_id}
                )
            case Progress():
                yield from self._progress(event)
            case NodeDone():
                yield from self._done(event)
            case ImageSent(node=node, picture=picture):
                yield self._plain_picture(picture, droppable=False)
                yield self._described_picture(node, picture, droppable=False)
            case Text() | Custom():
                pass  # their senders choose who hears them: `addressed`
            case Blocked():
                yield message("execution_error", self._blocked(event), Scope.EVERYONE)
            case _:
                assert_never(event)

    def render_all(self, events: Iterable[AnyEvent]) -> list[Outgoing]:
        """Return the messages of events; one that cannot be rendered is logged and left out, the others are kept."""
        items: list[Outgoing] = []
        for event in events:
            try:
                items.extend(self.render(event))
            except Exception:
                logger.exception("%s of job %s could not be told", type(event).__name__, self._prompt_id)
        return items

    def left(self) -> Outgoing:
        """Return the message that the run is over, whatever its end."""
        return message("executing", {"node": None, "prompt_id": self._prompt_id})

    def _end(
        self, event: Started | Cached | Succeeded | Failed | Interrupted, scope: Scope = Scope.CLIENT
    ) -> Iterator[Outgoing]:
        if not isinstance(event, Started | Cached):
            yield from self._flush_states()
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        kind, data = execution_end(type(event).__name__, fields, self._prompt_id)
        try:
            yield message(kind, data, scope)
        except orjson.JSONEncodeError:  # values of a node that JSON cannot hold; the end must be told nevertheless
            logger.exception("%s of job %s is told without the values of its node", kind, self._prompt_id)
            yield message(kind, {**data, "current_inputs": {}, "current_outputs": []}, scope)

    def _blocked(self, event: Blocked) -> dict[str, Any]:
        return {
            "prompt_id": self._prompt_id,
            "node_id": event.node.real_id,
            "node_type": event.class_type,
            "executed": event.executed,
            "exception_message": f"Execution Blocked: {event.message}",
            "exception_type": "ExecutionBlocked",
            "traceback": [],
            "current_inputs": [],
            "current_outputs": [],
        }

    def _done(self, event: NodeDone) -> Iterator[Outgoing]:
        node = event.node
        if event.show and (event.output is not None or event.cached):
            data = {
                "node": node.node_id,
                "display_node": node.display_id,
                "output": None if event.output is None else with_videos(event.output),
                "prompt_id": self._prompt_id,
            }
            yield message("executed", data)
        before = self._states.get(node.node_id)
        total = 1.0 if before is None else before["max"]
        yield from self._state(node, total, total, "finished")

    def _progress(self, event: Progress) -> Iterator[Outgoing]:
        value, total = whole(event.value), whole(event.total)
        if not event.is_told:
            yield from self._state(event.node, value, total, "running")
        if event.preview is not None:
            yield self._described_picture(event.node, event.preview, droppable=True)
        if not event.is_told:
            yield self._steps(event.node, value, total)
        if event.preview is not None:
            yield self._plain_picture(event.preview, droppable=True)

    def _steps(self, node: NodeRef, value: float, total: float) -> Outgoing:
        data = {"value": value, "max": total, "prompt_id": self._prompt_id, "node": node.node_id}
        return message("progress", data, Scope.EVERYONE, droppable=True)

    def _plain_picture(self, picture: Picture, *, droppable: bool) -> Outgoing:
        kind = 2 if picture.media_type == "image/png" else 1
        frame = binary_frame(struct.pack(">II", 1, kind), picture.data)
        return Outgoing(frame, Scope.EVERYONE, droppable, Previews.PLAIN)

    def _described_picture(self, node: NodeRef, picture: Picture, *, droppable: bool) -> Outgoing:
        about = orjson.dumps({**self._ids(node), "image_type": picture.media_type})
        frame = binary_frame(struct.pack(">II", 4, len(about)), about, picture.data)
        return Outgoing(frame, Scope.EVERYONE, droppable, Previews.DESCRIBED)

    def _ids(self, node: NodeRef) -> dict[str, str | None]:
        return {
            "node_id": node.node_id,
            "prompt_id": self._prompt_id,
            "display_node_id": node.display_id,
            "parent_node_id": node.parent_id,
            "real_node_id": node.real_id,
        }

    def _state(self, node: NodeRef, value: float, total: float, state: str) -> Iterator[Outgoing]:
        entry = {"value": value, "max": total, "state": state, **self._ids(node)}
        if node.node_id not in self._states:
            self._touched += 1
        self._states[node.node_id] = entry
        self._changed[node.node_id] = entry
        if self._touched <= FULL_STATE_NODES:
            yield self._state_message(self._states)
            self._changed.clear()
        elif self._clock() - self._sent_at >= STATE_INTERVAL_S:
            yield from self._flush_states()

    def _flush_states(self) -> Iterator[Outgoing]:
        if self._changed:
            self._sent_at = self._clock()
            yield self._state_message(self._changed)
            for node_id, entry in self._changed.items():
                if entry["state"] == "finished" and self._touched > FULL_STATE_NODES:
                    self._states.pop(node_id, None)
            self._changed.clear()

    def _state_message(self, nodes: dict[str, dict[str, Any]]) -> Outgoing:
        data = {"prompt_id": self._prompt_id, "nodes": nodes}
        return message("progress_state", data, Scope.EVERYONE, droppable=True)


def whole(value: float) -> float | int:
    """Return a number without `.0` where it has no fraction (samplers count steps); others, `nan` too, as they are."""
    return int(value) if math.isfinite(value) and value == int(value) else value
