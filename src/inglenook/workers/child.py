"""The device process: imports torch, holds the models and the node cache, runs graphs one after another.

Started by `workers.device` as `python -m inglenook.workers.child FD [FD]`, the first one end of a socket pair. It ends
with its parent: by the parent-death signal on Linux, and because the reader thread leaves the process at end of file.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import Protocol

from inglenook.engine.events import AnyEvent
from inglenook.workers.last_word import LastWord
from inglenook.workers.messages import (
    Ask,
    Configure,
    Down,
    Execute,
    FrameBuffer,
    Free,
    Interrupt,
    Ready,
    Stats,
    decode_down,
)
from inglenook.workers.outbox import Outbox
from inglenook.workers.standard_streams import StandardStreams

logger = logging.getLogger(__name__)

_STATS_EVERY_S = 1.0
_PR_SET_PDEATHSIG = 1


class Runtime(Protocol):
    """What runs graphs inside the process: `workers.runtime.EngineRuntime`, or a small one in tests."""

    def ready(self, import_seconds: float) -> Ready: ...

    def execute(
        self, message: Execute, emit: Callable[[AnyEvent], None], is_interrupted: Callable[[], bool]
    ) -> None: ...

    def free(self, *, unload_models: bool, free_memory: bool) -> None: ...

    def stats(self) -> Stats: ...

    def ask(self, question: Ask) -> None:
        """Answer soon, beside the run; comes on another thread."""


StartRuntime = Callable[[Configure, "DeviceProcess"], Runtime]


def _engine_runtime(configure: Configure, process: DeviceProcess) -> Runtime:
    from inglenook.workers.runtime import EngineRuntime  # imports torch

    return EngineRuntime.start(configure, process)


def main(start_runtime: StartRuntime = _engine_runtime) -> None:
    """Entry point: `child FD [FD]`: the socket, and the page of the last word."""
    started = time.monotonic()
    _die_with_parent()
    standard_streams = StandardStreams()
    faulthandler.enable(standard_streams.error_copy, all_threads=False)  # other threads' stacks would fill the log
    connection = socket.socket(fileno=int(sys.argv[1]))
    last_word = LastWord(int(sys.argv[2])) if len(sys.argv) > 2 else None
    try:
        DeviceProcess(connection, standard_streams, last_word).run(start_runtime, started)
    except BaseException:
        with contextlib.suppress(Exception):  # standard error may be what a node made of it
            traceback.print_exc()
            sys.stdout.flush()
    os._exit(1)  # the interpreter's own way out waits for threads of nodes, which may never end


def _die_with_parent() -> None:
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the signal was set
            os._exit(1)


class DeviceProcess:
    """Takes messages from the parent on one thread, runs graphs on the main thread."""

    def __init__(
        self, connection: socket.socket, standard_streams: StandardStreams, last_word: LastWord | None = None
    ) -> None:
        self._connection = connection
        self._standard_streams = standard_streams
        self._inbox: queue.SimpleQueue[Execute | Free] = queue.SimpleQueue()
        self.outbox = Outbox(connection, last_word)
        self._runtime: Runtime | None = None
        self._job_id: str | None = None
        self._interrupted: str | None = None
        self._frames = FrameBuffer()

    def run(self, start_runtime: StartRuntime, started: float) -> None:
        """Set up, announce, then serve until the parent goes away."""
        runtime = self._runtime = start_runtime(self._first_message(), self)
        threading.Thread(target=self._read, name="inbox", daemon=True).start()
        self.outbox.send(runtime.ready(time.monotonic() - started))
        told = time.monotonic()
        while True:
            match self._inbox.get():
                case Execute() as message:
                    self._execute(runtime, message)
                    if time.monotonic() - told > _STATS_EVERY_S:
                        told = time.monotonic()
                        self.outbox.send(runtime.stats())
                case Free(unload_models=unload, free_memory=free):
                    runtime.free(unload_models=unload, free_memory=free)
                    self.outbox.send(runtime.stats())

    def interrupt(self) -> None:
        """Stop the job that runs now, if one does; a node may ask for it."""
        self._interrupted = self._job_id

    def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """Give memory back after the current run; a node may ask for it."""
        self._inbox.put(Free(unload_models, free_memory))

    def _execute(self, runtime: Runtime, message: Execute) -> None:
        """Run one job to an end event, whatever happens. KeyboardInterrupt alone ends the process."""
        self.outbox.begin(message.job_id, message.attempt)
        self._job_id = message.job_id
        # Once more: a thread that opened a file while they were closed got one of them, and has closed it since.
        self._standard_streams.restore()
        try:
            runtime.execute(message, self.outbox.emit, partial(self._is_interrupted, message.job_id))
            self.outbox.fail(RuntimeError("the run stopped without an end"))  # sent only then
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            logger.exception("a run ended by an unexpected exception", extra={"job": message.job_id})
            self.outbox.fail(error)
        finally:
            self._job_id = None
            self._standard_streams.restore()

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
            case Ask():
                assert self._runtime is not None
                self._runtime.ask(message)
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
