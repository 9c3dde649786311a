"""What happens while a job runs, from the executor to whoever watches.

Events are msgspec structs so that they cross a process boundary as small tagged frames; they say nothing about how any
client sees them (`api/comfy/messages.py` renders ComfyUI's messages). Times are milliseconds since the epoch.
A run is: Started, Cached, then per visited node NodeStarted, Progress*, NodeDone, and at last one of
Succeeded, Failed, Interrupted.
"""

from __future__ import annotations

from typing import Any

import msgspec


class NodeRef(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The ids of a node: its own, where a user sees it, its parent in an expansion, its submitted ancestor."""

    node_id: str
    display_id: str
    parent_id: str | None
    real_id: str


class Event(msgspec.Struct, frozen=True, tag=True):
    """Base of all events."""


class Started(Event, frozen=True, tag=True):
    """The run begins."""

    time_ms: int


class Cached(Event, frozen=True, tag=True):
    """Nodes of the submitted graph whose results are known already, in graph order."""

    nodes: list[str]
    time_ms: int


class NodeStarted(Event, frozen=True, tag=True, gc=False):
    """A node is about to run (again, when it asked for lazy inputs)."""

    node: NodeRef


class Picture(msgspec.Struct, frozen=True, array_like=True):
    """An encoded picture."""

    data: bytes
    media_type: str
    """`image/jpeg` or `image/png`."""


class Progress(Event, frozen=True, tag=True):
    """A node reports how far it is, perhaps with a picture of its work so far."""

    node: NodeRef
    value: float
    total: float
    preview: Picture | None = None
    is_told: bool = False
    """This far was told before: only the picture is news."""


class ImageSent(Event, frozen=True, tag=True):
    """A node sends a picture as its result (SaveImageWebsocket); unlike a preview it is never dropped."""

    node: NodeRef
    picture: Picture


class Text(Event, frozen=True, tag=True):
    """Progress text of a node, to one socket or all."""

    node: NodeRef
    text: str
    client_id: str | None = None


class Custom(Event, frozen=True, tag=True):
    """A message of a custom node: any event name, to one socket or all."""

    name: str
    data: Any
    client_id: str | None = None


class NodeDone(Event, frozen=True, tag=True, gc=False):
    """A node finished; `output` is its ui data, or None.

    cached: taken from the cache; show: whether clients are told its output (for a cached node, only roots).
    """

    node: NodeRef
    output: dict[str, Any] | None
    cached: bool = False
    show: bool = True


class Blocked(Event, frozen=True, tag=True):
    """An ExecutionBlocker with a message reached a node; the run goes on."""

    node: NodeRef
    class_type: str
    message: str
    executed: list[str]


class Succeeded(Event, frozen=True, tag=True):
    """The run ended well. outputs: node id -> ui data (cached ones too); meta: node id -> ids of the node."""

    outputs: dict[str, Any]
    meta: dict[str, NodeRef]
    time_ms: int


class Failed(Event, frozen=True, tag=True):
    """A node raised (or the worker died: then `exception_type` says so). Outputs of finished nodes are kept."""

    node_id: str
    class_type: str
    message: str
    exception_type: str
    traceback: list[str]
    inputs: dict[str, Any]
    executed: list[str]
    current_outputs: list[str]
    outputs: dict[str, Any]
    meta: dict[str, NodeRef]
    time_ms: int


class Interrupted(Event, frozen=True, tag=True):
    """The run was stopped on request."""

    node_id: str
    class_type: str
    executed: list[str]
    outputs: dict[str, Any]
    meta: dict[str, NodeRef]
    time_ms: int


End = Succeeded | Failed | Interrupted
AnyEvent = Started | Cached | NodeStarted | Progress | ImageSent | Text | Custom | NodeDone | Blocked | End
