"""The device process: imports torch, holds the models and the node cache, runs graphs one after another.

Started by `workers.device` as `python -m inglenook.workers.child FD`, FD one end of a socket pair. It ends with its
parent: by the parent-death signal on Linux, and because the reader thread leaves the process at end of file.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from inglenook.engine.events import AnyEvent, Failed, Interrupted, Succeeded
from inglenook.workers.messages import (
    Configure,
    Down,
    Events,
    Execute,
    FrameBuffer,
    Free,
    Interrupt,
    Ready,
    Stats,
    Up,
    decode_down,
    encode,
)

_FLUSH_AFTER_S = 0.003
"""Events of short nodes travel together; this is how long the first of them waits at most."""
_STATS_EVERY_S = 1.0
_END_EVENTS = (Succeeded, Failed, Interrupted)
_PR_SET_PDEATHSIG = 1


class Runtime(Protocol):
    """What runs graphs inside the process: `workers.runtime.EngineRuntime`, or a small one in tests."""

    def ready(self, import_seconds: float) -> Ready: ...

    def execute(
        self, message: Execute, emit: Callable[[AnyEvent], None], is_interrupted: Callable[[], bool]
    ) -> None: ...

    def free(self, *, unload_models: bool, free_memory: bool) -> None: ...

    def stats(self) -> Stats: ...


def _engine_runtime(configure: Configure) -> Runtime:
    from inglenook.workers.runtime import EngineRuntime  # imports torch

    return EngineRuntime.start(configure)


def main(start_runtime: Callable[[Configure], Runtime] = _engine_runtime) -> None:
    """Entry point: `child FD`."""
    started = time.monotonic()
    _die_with_parent()
    faulthandler.enable()
    connection = socket.socket(fileno=int(sys.argv[1]))
    DeviceProcess(connection).run(start_runtime, started)


def _die_with_parent() -> None:
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the signal was set
            os._exit(1)


class Outbox:
    """Sends messages; events of one job wait a few milliseconds for company."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._waiting: list[AnyEvent] = []
        self._job: tuple[str, int] = ("", 0)
        self._wake = threading.Event()
        threading.Thread(target=self._flush_late, name="outbox", daemon=True).start()

    def begin(self, job_id: str, attempt: int) -> None:
        """Events from now on belong to this job."""
        self._job = (job_id, attempt)

    def emit(self, event: AnyEvent) -> None:
        """Send an event of the current job, soon."""
        with self._lock:
            self._waiting.append(event)
            if isinstance(event, _END_EVENTS):
                self._flush()
                return
            if len(self._waiting) > 1:
                if len(self._waiting) >= 256:
                    self._flush()
                return
        self._wake.set()

    def send(self, message: Up) -> None:
        """Send a message now."""
        with self._lock:
            self._flush()
            self._connection.sendall(encode(message))

    def _flush(self) -> None:
        if self._waiting:
            events, self._waiting = self._waiting, []
            self._connection.sendall(encode(Events(*self._job, events)))

    def _flush_late(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            time.sleep(_FLUSH_AFTER_S)
            with self._lock:
                self._flush()


class DeviceProcess:
    """Takes messages from the parent on one thread, runs graphs on the main thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._inbox: queue.SimpleQueue[Execute | Free] = queue.SimpleQueue()
        self._outbox = Outbox(connection)
        self._interrupted: str | None = None
        self._frames = FrameBuffer()

    def run(self, start_runtime: Callable[[Configure], Runtime], started: float) -> None:
        """Set up, announce, then serve until the parent goes away."""
        runtime = start_runtime(self._first_message())
        threading.Thread(target=self._read, name="inbox", daemon=True).start()
        self._outbox.send(runtime.ready(time.monotonic() - started))
        told = time.monotonic()
        while True:
            match self._inbox.get():
                case Execute() as message:
                    self._outbox.begin(message.job_id, message.attempt)
                    runtime.execute(message, self._outbox.emit, partial(self._is_interrupted, message.job_id))
                    if time.monotonic() - told > _STATS_EVERY_S:
                        told = time.monotonic()
                        self._outbox.send(runtime.stats())
                case Free(unload_models=unload, free_memory=free):
                    runtime.free(unload_models=unload, free_memory=free)
                    self._outbox.send(runtime.stats())

    def _is_interrupted(self, job_id: str) -> bool:
        return self._interrupted == job_id

    def _first_message(self) -> Configure:
        while True:
            for body in self._frames.feed(self._receive()):
                message = decode_down(body)
                assert isinstance(message, Configure)
                return message

    def _read(self) -> None:
        while True:
            for body in self._frames.feed(self._receive()):
                self._take(decode_down(body))

    def _take(self, message: Down) -> None:
        match message:
            case Execute() | Free():
                self._inbox.put(message)
            case Interrupt(job_id=job_id):
                self._interrupted = job_id
            case Configure():
                raise AssertionError("configured twice")

    def _receive(self) -> bytes:
        try:
            data = self._connection.recv(1 << 18)
        except OSError:
            data = b""
        if not data:  # the parent is gone
            os._exit(0)
        return data


if __name__ == "__main__":
    main()
