"""What a server tells over its WebSocket, as types; reading never fails, what is not understood becomes `Unknown`.

Servers differ: old ones leave `prompt_id` out, node ids come as numbers, fields are missing. Values are brought to the
types below; the wire format is ComfyUI's.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inglenook.client.parsing import parse_json

_HEAD = struct.Struct(">II")
_MEDIA_TYPES = {1: "image/jpeg", 2: "image/png"}


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """`status`: the length of the server's queue changed."""

    remaining: int
    """Pending and running jobs of everybody."""
    sid: str | None = None
    """Client id in force; in the first message of a socket only."""
    prompt_id: None = None


@dataclass(frozen=True, slots=True)
class JobStarted:
    """`execution_start`."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class NodesCached:
    """`execution_cached`: nodes whose results are known already."""

    prompt_id: str | None
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """`executing` with a node."""

    prompt_id: str | None
    node: str
    display_node: str
    """The node of the submitted graph that this one belongs to."""


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """`progress`: `value` of `maximum` steps of a node."""

    prompt_id: str | None
    node: str | None
    value: float
    maximum: float


@dataclass(frozen=True, slots=True)
class NodeStates:
    """`progress_state`: the state of nodes of a run, some or all that were touched."""

    prompt_id: str | None
    nodes: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class NodeOutput:
    """`executed`: a node has something to show."""

    prompt_id: str | None
    node: str
    display_node: str
    output: Mapping[str, Any]
    """As in history: `{"images": [{"filename", "subfolder", "type"}]}`."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture over the socket: what a sampler has so far, or what SaveImageWebsocket sends."""

    prompt_id: str | None
    node: str | None
    media_type: str
    """`image/jpeg` or `image/png`."""
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NodeText:
    """Progress text of a node."""

    prompt_id: None
    node: str
    text: str


@dataclass(frozen=True, slots=True)
class JobSucceeded:
    """`execution_success`."""

    prompt_id: str


@dataclass(frozen=True, slots=True)
class JobFailure:
    """`execution_error`: a node raised."""

    prompt_id: str | None
    node: str
    node_type: str
    exception_message: str
    exception_type: str
    traceback: Sequence[str] = ()
    executed: Sequence[str] = ()
    """Nodes that had finished."""
    inputs: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the node was given."""
    current_outputs: Sequence[str] = ()

    @property
    def ends_job(self) -> bool:
        """False for the message of a blocked branch, after which the run goes on."""
        return self.exception_type != "ExecutionBlocked"


@dataclass(frozen=True, slots=True)
class JobInterruption:
    """`execution_interrupted`."""

    prompt_id: str | None
    node: str
    node_type: str = ""
    executed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class JobLeft:
    """`executing` without a node: the run is over and in the history."""

    prompt_id: str | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of a kind or shape that this client does not know."""

    prompt_id: str | None
    type: str
    data: Any


JobEnd = JobSucceeded | JobFailure | JobInterruption
Event = (
    QueueStatus
    | JobStarted
    | NodesCached
    | NodeStarted
    | NodeProgress
    | NodeStates
    | NodeOutput
    | Preview
    | NodeText
    | JobSucceeded
    | JobFailure
    | JobInterruption
    | JobLeft
    | Unknown
)


def read_message(message: str | bytes) -> Event:
    """Return the event of one WebSocket message."""
    if isinstance(message, bytes):
        return _read_binary(message)
    try:
        parsed = parse_json(message)
    except ValueError:
        return Unknown(None, "", message)
    if not isinstance(parsed, dict):
        return Unknown(None, "", parsed)
    return read_event(str(parsed.get("type", "")), parsed.get("data"))


def read_event(kind: str, data: Any) -> Event:
    """Return the event of a message's `type` and `data`; also for the messages of a history entry."""
    if not isinstance(data, dict):
        return Unknown(None, kind, data)
    prompt_id = _text_or_none(data.get("prompt_id"))
    node = _text_or_none(data.get("node"))
    match kind:
        case "status":
            return _status(data)
        case "execution_start" if prompt_id is not None:
            return JobStarted(prompt_id)
        case "execution_cached":
            return NodesCached(prompt_id, _texts(data.get("nodes")))
        case "executing" if node is not None:
            return NodeStarted(prompt_id, node, _text(data.get("display_node"), node))
        case "executing":
            return JobLeft(prompt_id)
        case "progress":
            return NodeProgress(prompt_id, node, _number(data.get("value")), _number(data.get("max")))
        case "progress_state" if isinstance(data.get("nodes"), dict):
            return NodeStates(
                prompt_id, {key: value for key, value in data["nodes"].items() if isinstance(value, dict)}
            )
        case "executed" if node is not None:
            output = data.get("output")
            output = output if isinstance(output, dict) else {}
            return NodeOutput(prompt_id, node, _text(data.get("display_node"), node), output)
        case "execution_success" if prompt_id is not None:
            return JobSucceeded(prompt_id)
        case "execution_error":
            return _failure(prompt_id, data)
        case "execution_interrupted":
            node_type, executed = _text(data.get("node_type")), _texts(data.get("executed"))
            return JobInterruption(prompt_id, _text(data.get("node_id")), node_type, executed)
    return Unknown(prompt_id, kind, data)


def _status(data: Mapping[str, Any]) -> Event:
    try:
        remaining = int(data["status"]["exec_info"]["queue_remaining"])
    except (KeyError, TypeError, ValueError):
        return Unknown(None, "status", data)
    return QueueStatus(remaining, _text_or_none(data.get("sid")))


def _failure(prompt_id: str | None, data: Mapping[str, Any]) -> JobFailure:
    inputs = data.get("current_inputs")
    return JobFailure(
        prompt_id,
        node=_text(data.get("node_id")),
        node_type=_text(data.get("node_type")),
        exception_message=_text(data.get("exception_message")),
        exception_type=_text(data.get("exception_type")),
        traceback=_texts(data.get("traceback")),
        executed=_texts(data.get("executed")),
        inputs=inputs if isinstance(inputs, dict) else {},
        current_outputs=_texts(data.get("current_outputs")),
    )


def _read_binary(message: bytes) -> Event:
    if len(message) < _HEAD.size:
        return Unknown(None, "binary", message)
    kind, second = _HEAD.unpack_from(message)
    rest = message[_HEAD.size :]
    if kind == 1 and second in _MEDIA_TYPES:
        return Preview(None, None, _MEDIA_TYPES[second], rest)
    if kind == 3 and second <= len(rest):
        return NodeText(None, rest[:second].decode("utf-8", "replace"), rest[second:].decode("utf-8", "replace"))
    if kind == 4 and second <= len(rest):
        return _described_preview(rest[:second], rest[second:])
    return Unknown(None, "binary", message)


def _described_preview(description: bytes, picture: bytes) -> Event:
    try:
        about = parse_json(description)
    except ValueError:
        about = None
    if not isinstance(about, dict):
        return Unknown(None, "binary", description)
    media_type = _text(about.get("image_type"), "image/jpeg")
    return Preview(_text_or_none(about.get("prompt_id")), _text_or_none(about.get("node_id")), media_type, picture)


def _text_or_none(value: Any) -> str | None:
    return None if value is None else str(value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _text(value: Any, default: str = "") -> str:
    return default if value is None else str(value)


def _number(value: Any) -> float:
    if isinstance(value, (int, float)):
        return value
    return 0.0
