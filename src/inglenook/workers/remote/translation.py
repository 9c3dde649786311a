"""Makes this server's events of what a remote server tells; no I/O.

Servers differ in what they tell: today's send `progress_state` for each node that begins or ends, old ones only say
which node runs now; pictures come before the progress that they belong to (with a description) or after it (without).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from inglenook.client import events as told
from inglenook.client.types import HistoryEntry
from inglenook.engine.events import (
    AnyEvent,
    Blocked,
    Cached,
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

_MOST_NODES = 100_000
_LONGEST_MESSAGE = 100_000
_LONGEST_TRACEBACK = 1000
_LONGEST_LINE = 4000
_LARGEST_INPUTS = 1 << 20
_PICTURES = ("image/jpeg", "image/png")
_BLOCKED = "Execution Blocked: "


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Translator:
    """Follows one attempt. Feed it the server's messages; outputs in its events still have the server's names."""

    def __init__(self, graph: Mapping[str, Any], clock_ms: Callable[[], int] = _now_ms) -> None:
        self.current: NodeRef | None = None
        """The node that runs, as far as known."""
        self.cached: tuple[str, ...] = ()
        self.has_started = False
        self.done: set[str] = set()
        self.refs: dict[str, NodeRef] = {}
        self._graph = graph
        self._clock_ms = clock_ms
        self._running: set[str] = set()
        self._progress: dict[str, tuple[float, float]] = {}
        self._picture: tuple[NodeRef, Picture] | None = None
        """A picture that waits for the progress it belongs to."""
        self._tells_states = False

    @property
    def holds_picture(self) -> bool:
        return self._picture is not None

    def feed(self, event: told.Event) -> list[AnyEvent]:
        """The events that a message stands for; none for the end of a job, see `end`."""
        made = self._translate(event)
        if made and not self.has_started:
            made = [*self.begin(), *made]
        if self._picture is not None and not isinstance(event, (told.Preview, told.NodeStates, told.QueueStatus)):
            return [*self.release_picture(), *made]
        return made

    def release_picture(self) -> list[AnyEvent]:
        """The picture that waits, without news of the progress."""
        if self._picture is None:
            return []
        (ref, picture), self._picture = self._picture, None
        value, total = self._progress.get(ref.node_id, (0.0, 1.0))
        return [Progress(ref, value, total, picture, is_told=True)]

    def _translate(self, event: told.Event) -> list[AnyEvent]:
        match event:
            case told.JobStarted():
                return self.begin()
            case told.NodesCached():
                self.cached = event.nodes
                return [Cached(list(event.nodes), self._clock_ms())]
            case told.NodeStarted():
                return self._started(event)
            case told.NodeStates():
                return self._states(event)
            case told.NodeProgress():
                return self._progressed(event)
            case told.NodeOutput():
                return self._shown(event)
            case told.Preview():
                return self._pictured(event)
            case told.NodeText():
                return [Text(ref, event.text)] if (ref := self._ref(event.node)) is not None else []
            case told.JobFailure() if not event.ends_job:
                return self._blocked(event)
        return []

    def begin(self) -> list[AnyEvent]:
        """The beginning, once."""
        was_started, self.has_started = self.has_started, True
        return [] if was_started else [Started(self._clock_ms())]

    # -- nodes -------------------------------------------------------------------------------------------------------

    def _ref(
        self, node: str | None, display: str | None = None, about: Mapping[str, Any] | None = None
    ) -> NodeRef | None:
        """The ids of a node; None for one too many. What is not told is guessed from how ids of expansions begin."""
        if node is None:
            return None
        known = self.refs.get(node)
        if about is None and known is not None and display in (None, known.display_id):
            return known
        if known is None and len(self.refs) >= _MOST_NODES:
            return None
        about = about or {}
        root = node if node in self._graph else node.split(".", 1)[0]
        shown = display or _text(about.get("display_node_id")) or (known.display_id if known else root)
        parent = _text(about.get("parent_node_id")) or (known.parent_id if known else None)
        real = _text(about.get("real_node_id")) or (known.real_id if known else root)
        self.refs[node] = ref = NodeRef(node, shown, parent, real)
        return ref

    def _started(self, event: told.NodeStarted) -> list[AnyEvent]:
        ref = self._ref(event.node, event.display_node)
        if ref is None:
            return []
        # Who tells no states runs one node after another: the one before has ended.
        made: list[AnyEvent] = [] if self._tells_states else self._finish_running(but=ref.node_id)
        self.current = ref
        self._running.add(ref.node_id)
        return [*made, NodeStarted(ref)]

    def _finish_running(self, but: str = "") -> list[AnyEvent]:
        ended = [node for node in self._running if node != but]
        return [event for node in ended for event in self._finished(node)]

    def _finished(self, node: str) -> list[AnyEvent]:
        """A node has ended without anything to show."""
        ref = self._ref(node)
        was_running = node in self._running
        self._running.discard(node)
        if ref is None or node in self.done:
            return []
        self.done.add(node)
        return [NodeDone(ref, None, cached=not was_running, show=was_running)]

    def _states(self, event: told.NodeStates) -> list[AnyEvent]:
        self._tells_states = True
        made: list[AnyEvent] = []
        for node, about in event.nodes.items():
            if node not in self.refs:
                self._ref(node, about=about)
            if about.get("state") == "finished" and node not in self.done:
                made += self._finished(node)
        return made

    def _progressed(self, event: told.NodeProgress) -> list[AnyEvent]:
        ref = self._ref(event.node) if event.node is not None else self.current
        if ref is None or not (math.isfinite(event.value) and math.isfinite(event.maximum)):
            return []
        self._progress[ref.node_id] = (event.value, event.maximum)
        picture = None
        if self._picture is not None and self._picture[0].node_id == ref.node_id:
            picture, self._picture = self._picture[1], None
        return [Progress(ref, event.value, event.maximum, picture)]

    def _pictured(self, event: told.Preview) -> list[AnyEvent]:
        ref = self._ref(event.node) if event.node is not None else self.current
        if ref is None or event.media_type not in _PICTURES:
            return []
        picture = Picture(event.data, event.media_type)
        if self._class_of(ref) == "SaveImageWebsocket" and event.media_type == "image/png":
            return [ImageSent(ref, picture)]
        held = self.release_picture()
        self._picture = (ref, picture)
        return held if event.node is not None else [*held, *self.release_picture()]

    def _shown(self, event: told.NodeOutput) -> list[AnyEvent]:
        ref = self._ref(event.node, event.display_node)
        if ref is None:
            return []
        is_cached = event.node in self.cached and event.node not in self._running
        self._running.discard(event.node)
        self.done.add(event.node)
        output = None if is_cached and not event.output else dict(event.output)
        return [NodeDone(ref, output, cached=is_cached)]

    def _blocked(self, event: told.JobFailure) -> list[AnyEvent]:
        ref = self._ref(event.node)
        message = event.exception_message.removeprefix(_BLOCKED)[:_LONGEST_MESSAGE]
        return [] if ref is None else [Blocked(ref, event.node_type, message, list(event.executed))]

    def _class_of(self, ref: NodeRef) -> str | None:
        node = self._graph.get(ref.real_id)
        return node.get("class_type") if isinstance(node, Mapping) else None

    # -- the end -----------------------------------------------------------------------------------------------------

    def missed(self, entry: HistoryEntry) -> list[AnyEvent]:
        """Outputs that only the history tells; how the nodes belong together is told there, too."""
        made: list[AnyEvent] = []
        for node, output in entry.outputs.items():
            meta = entry.meta.get(node, {})
            about = {
                "display_node_id": meta.get("display_node"),
                "parent_node_id": meta.get("parent_node"),
                "real_node_id": meta.get("real_node_id"),
            }
            ref = self._ref(node, about=about)
            if ref is not None:
                made.append(NodeDone(ref, dict(output), cached=node in self.cached, show=False))
        return made

    def before_end(self, end: told.JobEnd) -> list[AnyEvent]:
        """What has to be told before the end."""
        made = [*self.begin(), *self.release_picture()]
        return [*made, *self._finish_running()] if isinstance(end, told.JobSucceeded) else made

    def end(self, end: told.JobEnd, outputs: Mapping[str, Any]) -> Succeeded | Failed | Interrupted:
        """The end event. outputs: what the nodes show, in this server's names."""
        meta = {node: self.refs[node] for node in outputs}
        match end:
            case told.JobSucceeded():
                return Succeeded(dict(outputs), meta, self._clock_ms())
            case told.JobInterruption():
                return self.interrupted(outputs, end.node, end.node_type, list(end.executed))
        inputs = dict(end.inputs)
        if len(orjson.dumps(inputs, option=orjson.OPT_NON_STR_KEYS, default=str)) > _LARGEST_INPUTS:
            inputs = {}
        return Failed(
            node_id=end.node,
            class_type=end.node_type,
            message=end.exception_message[:_LONGEST_MESSAGE],
            exception_type=end.exception_type[:_LONGEST_LINE],
            traceback=[line[:_LONGEST_LINE] for line in end.traceback[:_LONGEST_TRACEBACK]],
            inputs=inputs,
            executed=list(end.executed),
            current_outputs=list(end.current_outputs),
            outputs=dict(outputs),
            meta=meta,
            time_ms=self._clock_ms(),
        )

    def interrupted(
        self, outputs: Mapping[str, Any], node: str = "", class_type: str = "", executed: list[str] | None = None
    ) -> Interrupted:
        """The end of a job that was stopped."""
        meta = {name: self.refs[name] for name in outputs}
        return Interrupted(node, class_type, executed or list(outputs), dict(outputs), meta, self._clock_ms())

    def failed(self, message: str, exception_type: str, outputs: Mapping[str, Any], node: str = "") -> Failed:
        """The end of a job that no message of the server describes."""
        about = self._graph.get(node)
        class_type = str(about.get("class_type", "")) if isinstance(about, Mapping) else ""
        failure = told.JobFailure(None, node, class_type, f"{message}\n", exception_type, executed=tuple(outputs))
        end = self.end(failure, outputs)
        assert isinstance(end, Failed)
        return end


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
