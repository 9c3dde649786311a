"""The device process's way up: messages to the parent, and what is sent in place of what cannot be sent.

A node may put anything into an event: an object, text that is no Unicode, gigabytes. The engine makes plain
what it can; what is left costs one event here, never the process or the end of its job.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from typing import Any

from inglenook.engine.events import AnyEvent, Custom, Failed, Interrupted, NodeDone, NodeStarted, Progress, Succeeded
from inglenook.engine.failure import exception_message, exception_name, exception_traceback
from inglenook.engine.values import well_formed
from inglenook.workers.last_word import LastWord
from inglenook.workers.messages import Events, Notice, Up, encode

logger = logging.getLogger(__name__)

_FLUSH_AFTER_S = 0.003
"""Events of short nodes travel together; this is how long the first of them waits at most."""
_END_EVENTS = (Succeeded, Failed, Interrupted)


class Outbox:
    """Sends messages; events of one job wait a few milliseconds for company."""

    def __init__(self, connection: socket.socket, last_word: LastWord | None = None) -> None:
        self._connection = connection
        self._last_word = last_word
        self._lock = threading.Lock()
        self._waiting: list[AnyEvent] = []
        self._job: tuple[str, int] = ("", 0)
        self._has_ended = True
        self._unsendable: list[str] = []
        """What is to be logged once the lock is free: a node pack's log handler may send, too."""
        self._wake = threading.Event()
        threading.Thread(target=self._flush_late, name="outbox", daemon=True).start()

    def begin(self, job_id: str, attempt: int) -> None:
        """Events from now on belong to this job."""
        with self._lock:
            self._job = (job_id, attempt)
            self._has_ended = False

    def emit(self, event: AnyEvent) -> None:
        """Send an event of the current job, soon; nothing after its end event."""
        with self._lock:
            if not self._has_ended:
                self._add(event)
        self._log_unsendable()

    def _add(self, event: AnyEvent) -> None:
        if self._last_word is not None and type(event) is NodeStarted:
            self._last_word.write(*self._job, event.node)
        if self._waiting and _replaces(event, self._waiting[-1]):
            self._waiting[-1] = event
        else:
            self._waiting.append(event)
        self._has_ended = isinstance(event, _END_EVENTS)
        if self._has_ended or len(self._waiting) >= 256:
            self._flush()
        elif len(self._waiting) == 1:
            self._wake.set()

    def notify(self, name: str, data: Any, client_id: str | None) -> None:
        """Send a message of a node pack: in order with the events of the run, while there is one."""
        with self._lock:
            if self._has_ended:
                self._connection.sendall(encode(Notice(name, data, client_id)))
            else:
                self._add(Custom(name, data, client_id))
        self._log_unsendable()

    def fail(self, error: BaseException) -> None:
        """End the current job, unless it has ended, by an exception that no node is to blame for."""
        self.emit(_failed(exception_name(error), exception_message(error), exception_traceback(error)))

    def send(self, message: Up) -> None:
        """Send a message now."""
        with self._lock:
            self._flush()
            self._connection.sendall(encode(message))
        self._log_unsendable()

    def _flush(self) -> None:
        if not self._waiting:
            return
        events, self._waiting = self._waiting, []
        try:
            frames = [encode(Events(*self._job, events))]
        except Exception:  # one of them cannot be sent: find it
            frames = [frame for event in events if (frame := self._frame(event)) is not None]
        for frame in frames:
            self._connection.sendall(frame)

    def _frame(self, event: AnyEvent) -> bytes | None:
        """The frame of one event or of what stands for it, None when it has to be left out."""
        try:
            return encode(Events(*self._job, [event]))
        except Exception as error:
            self._unsendable.append(f"{type(event).__name__} cannot be sent: {error!a}")
            instead = _instead(event, error)
        try:
            return None if instead is None else encode(Events(*self._job, [instead]))
        except Exception:
            return None

    def _log_unsendable(self) -> None:
        if self._unsendable:
            texts, self._unsendable = self._unsendable, []
            for text in texts:
                logger.warning("an event %s", text)

    def _flush_late(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            time.sleep(_FLUSH_AFTER_S)
            try:
                with self._lock:
                    self._flush()
                self._log_unsendable()
            except Exception:  # the parent is gone, then the process ends soon; else the next events still go out
                logger.exception("events could not be sent")


def _replaces(event: AnyEvent, earlier: AnyEvent) -> bool:
    """Whether nobody misses `earlier`: progress that more of it followed within 3 ms. A node may count millions."""
    return (
        isinstance(event, Progress)
        and isinstance(earlier, Progress)
        and earlier.preview is None
        and earlier.node == event.node
    )


def _instead(event: AnyEvent, error: Exception) -> AnyEvent | None:
    """What can be sent in place of an event that cannot: an end always has something."""
    match event:
        case NodeDone(node=node, cached=cached, show=show):
            return NodeDone(node, None, cached, show)
        case Interrupted(time_ms=time_ms):
            return Interrupted("", "", [], {}, {}, time_ms)
        case Failed():
            return _failed(event.exception_type, event.message, event.traceback, event.node_id, event.class_type)
        case Succeeded():
            return _failed(exception_name(error), f"The results of this job cannot be sent: {error}\n", [])
        case _:
            return None


def _failed(exception_type: str, message: str, traceback: list[str], node_id: str = "", class_type: str = "") -> Failed:
    return Failed(
        node_id=well_formed(node_id),
        class_type=well_formed(class_type),
        message=well_formed(message),
        exception_type=well_formed(exception_type),
        traceback=[well_formed(line) for line in traceback],
        inputs={},
        executed=[],
        current_outputs=[],
        outputs={},
        meta={},
        time_ms=time.time_ns() // 1_000_000,
    )
