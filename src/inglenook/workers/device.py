"""A device process as a worker: started, watched, asked to stop, killed, replaced.

The process is a child over a socket pair. Its end is seen as end of file on that socket, at once; its standard output
and error are read as log lines. Facts that shape this file: a killed process leaves no last word, so what it ran is
known here; a process that hangs in C code obeys nothing but SIGKILL; what nodes started in it (a server, a forked
pool) has its standard output and perhaps the socket too, so that these may stay open when it is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import psutil

from inglenook.engine.events import Failed, Interrupted, Succeeded
from inglenook.engine.replacement import NodeReplacement
from inglenook.engine.secrets import redact, secret_values
from inglenook.packs.report import PackReport
from inglenook.packs.route_names import discard_socket
from inglenook.settings import NOT_FOR_WORKERS, SERVER_VARIABLES
from inglenook.workers.last_word import LastWord
from inglenook.workers.log_lines import LogLines
from inglenook.workers.messages import (
    Answer,
    Ask,
    Configure,
    Device,
    Down,
    Events,
    Execute,
    FrameBuffer,
    Free,
    Importing,
    Interrupt,
    ModelFolderAdded,
    Notice,
    Question,
    Ready,
    Stats,
    Up,
    decode_up,
    encode,
)
from inglenook.workers.own_tasks import OwnTasks
from inglenook.workers.process_group import ProcessGroup
from inglenook.workers.worker import Cause, Death, Request, WorkerListener, WorkerState

logger = logging.getLogger(__name__)

_MEMORY_CHECK_S = 1.0
_END_OF_FILE_S = 1.0
"""How long after the end of a process its socket may stay open: as long as it takes to read what it sent."""
_RESTART_DELAYS_S = (0.0, 0.5, 2.0, 5.0, 15.0, 30.0)
"""Waits before a new process when processes die one after another before they are ready."""
_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Threads of torch that wait for each other sleep instead of spinning. Spinning is ruinous beside other
work: 20 steps of the demo model on two busy cores took 11.2 s, asleep 3.9 s (6.9 and 1.7 s of CPU)."""
_TURN_S = 0.004
"""How long messages of a process are handed on before others have their turn."""
_LOG_CHUNK_BYTES = 32 << 10
_LOG_NOTE_S = 1.0
_MOST_SECRETS = 20
_KEPT_BACK = frozenset(SERVER_VARIABLES) | {f"INGLENOOK_{name.upper()}" for name in NOT_FOR_WORKERS}
_END_EVENTS = (Succeeded, Failed, Interrupted)


def _environment() -> dict[str, str]:
    """The environment of a device process: without secrets, since node packs can read it."""
    return {**_ENVIRONMENT, **{name: value for name, value in os.environ.items() if name.upper() not in _KEPT_BACK}}


class _Channel(asyncio.Protocol):
    """The socket to one process; hands whole messages to its worker."""

    def __init__(self, worker: DeviceWorker, end: socket.socket) -> None:
        self._worker = worker
        self._end = end
        self._frames = FrameBuffer()
        self._bodies: deque[bytes] = deque()
        self._next_turn: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        try:
            self._bodies.extend(self._frames.feed(data))
        except ValueError:
            logger.exception("unreadable message from device process %s", self._worker.name)
            self.close()
            return
        if self._next_turn is None:
            self._take_turn()

    def _take_turn(self) -> None:
        """Hand messages on for a moment. When there are more, the process waits as long as that took.

        A node may send as fast as it can; it gets half of the event loop at most, and is slowed down by it.
        """
        self._next_turn = None
        started = time.monotonic()
        while self._bodies and time.monotonic() - started < _TURN_S:
            self._hand_on(self._bodies.popleft())
        if self._transport is None or self._transport.is_closing():
            return
        if self._bodies:
            self._transport.pause_reading()
            pause_s = time.monotonic() - started
            self._next_turn = asyncio.get_running_loop().call_later(pause_s, self._take_turn)
        else:
            self._transport.resume_reading()

    def _hand_on(self, body: bytes) -> None:
        try:
            self._worker.received(self, decode_up(body))
        except Exception:
            logger.exception("unreadable message from device process %s", self._worker.name)
            self._bodies.clear()
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._next_turn is not None:
            self._next_turn.cancel()
        while self._bodies:  # what it said before it died, its end events among it
            self._hand_on(self._bodies.popleft())
        self._worker.lost(self)

    def send(self, message: Down) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode(message))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        else:
            self._end.close()


@dataclass(frozen=True, slots=True)
class _Kill:
    """Why a process was ended by force, and for which request (None: it ran nothing)."""

    death: Death
    request: Request | None


class DeviceWorker:
    """A device process, kept alive until `close`."""

    def __init__(
        self,
        name: str,
        settings_json: bytes,
        *,
        device: str = "auto",
        interrupt_grace_s: float = 30.0,
        memory_limit_bytes: int | None = None,
        pack_import_timeout_s: float = 300.0,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = (sys.executable, "-m", "inglenook.workers.child"),
    ) -> None:
        """environment: variables of the process beside those of this one, stronger than these."""
        self.name = name
        self.has_queue = False
        self.state = WorkerState.STOPPED
        self.documents: Mapping[str, Any] | None = None
        self.devices: Sequence[Device] = ()
        self.versions: Mapping[str, str] = {}
        self.packs: Sequence[PackReport] = ()
        self.replacements: Sequence[NodeReplacement] = ()
        self.model_folders: Sequence[ModelFolderAdded] = ()
        self.routes_at: str | None = None
        self.rewrites_prompts = False
        self.pid: int | None = None
        self.models_loaded = self.model_bytes = 0
        """Networks on the device after the last run, and what they take."""
        self._settings_json = settings_json
        self._device = device
        self._grace_s = interrupt_grace_s
        self._memory_limit = memory_limit_bytes
        self._pack_import_timeout_s = pack_import_timeout_s
        self._last_word: LastWord | None = None
        self._importing: str | None = None
        """The node pack that is being imported."""
        self._skipped_packs: dict[str, str] = {}
        """Packs that a process died of, with the reason; until this server ends."""
        self._questions: dict[int, asyncio.Future[bytes | None]] = {}
        self._overdue: dict[int, Callable[[bytes], None] | None] = {}
        """Questions that nobody waits for any more, with who wants the answer nevertheless."""
        self._question_number = 0
        self._command = tuple(command)
        self._environment = dict(environment or {})
        self._listener: WorkerListener | None = None
        self._channel: _Channel | None = None
        self._process: ProcessGroup | None = None
        self._request: Request | None = None
        self._secrets: tuple[str, ...] = ()
        """Values that nodes may print and logs may not show: those of the last jobs."""
        self._interrupted = False
        self._killed: _Kill | None = None
        """The order to end the present process. Once it is given, the process takes no other job."""
        self._has_been_ready = False
        self._timers: list[asyncio.TimerHandle] = []
        self._tasks = OwnTasks(logger, f"device process {name}")
        self._failed_starts = 0
        self._closing = False

    # -- life ------------------------------------------------------------------------------------------------------

    async def start(self, listener: WorkerListener) -> None:
        """Start the process; `listener.worker_ready` says when it can run graphs."""
        self._listener = listener
        self._closing = False
        await self._spawn()
        if self._memory_limit is not None:
            self._tasks.start(self._watch_memory(self._memory_limit))

    async def close(self) -> None:
        """End the process and wait for it."""
        self._closing = True
        self._drop_timers()
        self._drop_questions()
        self._tasks.cancel()
        await self._tasks.ended()
        process = self._process
        if self._channel is not None:
            self._channel.close()
        if process is not None:
            await process.end()
        self.state = WorkerState.STOPPED
        self.pid = None

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        channel = _Channel(self, ours)
        page = LastWord.make_descriptor()
        descriptors = (theirs.fileno(),) if page is None else (theirs.fileno(), page)
        log, log_end = os.pipe()
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        # A pipe of our own: asyncio takes a process with a pipe to have ended when its children have closed theirs too.
        pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(log, "rb", 0))
        try:
            await loop.create_connection(lambda: channel, sock=ours)
            process = await self._start_process(descriptors, log_end)
        except BaseException:  # also when the worker is closed meanwhile: the process sees end of file and leaves
            channel.close()
            pipe.close()
            raise
        else:
            self._last_word = None if page is None else LastWord(page)
        finally:
            theirs.close()
            os.close(log_end)
            if page is not None:
                os.close(page)
        self.state = WorkerState.STARTING
        self._process = process
        self.pid = process.pid
        self._killed = None
        self._has_been_ready = False
        self._channel = channel
        self._importing = None
        channel.send(Configure(self._settings_json, self._device, self._skipped_packs))
        self._tasks.start(self._read_log(reader)).add_done_callback(lambda _: pipe.close())
        self._tasks.start(self._watch_end(process, channel))

    async def _start_process(self, descriptors: tuple[int, ...], output: int) -> ProcessGroup:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *map(str, descriptors),
            pass_fds=descriptors,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C in the terminal is the server's to handle
            env={**_environment(), **self._environment},
        )
        return ProcessGroup(process)

    async def _watch_end(self, process: ProcessGroup, channel: _Channel) -> None:
        """See to it that the end of a process is noticed although others hold its socket open."""
        await process.ended()
        await asyncio.sleep(_END_OF_FILE_S)
        channel.close()

    async def _read_log(self, reader: asyncio.StreamReader) -> None:
        log = logging.getLogger(f"inglenook.device.{self.name}")
        lines = LogLines()
        while (chunk := await self._read_chunk(reader, lines)) != b"":
            for level, text in [lines.note()] if chunk is None else lines.feed(chunk):
                log.log(level, "%s", redact(text, self._secrets))
            await asyncio.sleep(0)  # a reader with something in its buffer does not wait
        for level, text in lines.end():
            log.log(level, "%s", redact(text, self._secrets))

    @staticmethod
    async def _read_chunk(reader: asyncio.StreamReader, lines: LogLines) -> bytes | None:
        """What was written, b"" at the end, None when it is time to say that lines were left out."""
        try:
            async with asyncio.timeout(_LOG_NOTE_S if lines.owes_note else None):
                return await reader.read(_LOG_CHUNK_BYTES)
        except TimeoutError:
            return None

    async def _watch_memory(self, limit: int) -> None:
        while True:
            await asyncio.sleep(_MEMORY_CHECK_S)
            if self.pid is None:
                continue
            with contextlib.suppress(psutil.Error):
                used = psutil.Process(self.pid).memory_info().rss
                if used > limit:
                    self._kill(Cause.MEMORY, f"it used {used >> 20} MB of memory, over the limit of {limit >> 20} MB")

    # -- the process speaks ------------------------------------------------------------------------------------------

    def received(self, channel: _Channel, message: Up) -> None:
        """Take a message of the process."""
        if channel is not self._channel or self._listener is None:
            return
        match message:
            case Events(job_id=job_id, attempt=attempt, events=events):
                request = self._request
                if request is None or (request.job_id, request.attempt) != (job_id, attempt):
                    return
                if isinstance(events[-1], _END_EVENTS):
                    self._request = None
                    self._interrupted = False
                    self._drop_timers()
                    self.state = WorkerState.READY if self._killed is None else WorkerState.STARTING
                self._listener.worker_events(self, job_id, attempt, events)
            case Ready():
                self._ready(message)
            case Stats(devices=devices):
                self.devices = devices
                self.models_loaded, self.model_bytes = message.models_loaded, message.model_bytes
            case Importing(pack=pack):
                self._drop_timers()
                self._importing = pack
                timer = asyncio.get_running_loop().call_later(
                    self._pack_import_timeout_s, self._import_takes_long, pack
                )
                self._timers.append(timer)
            case Notice(name=name, data=data, client_id=client_id):
                self._listener.worker_notice(self, name, data, client_id)
            case Answer():
                self._answered(message)

    def _answered(self, answer: Answer) -> None:
        question = self._questions.pop(answer.number, None)
        if question is not None and not question.done():
            question.set_result(answer.body)
        late = self._overdue.pop(answer.number, None)
        if late is not None and answer.body is not None:
            late(answer.body)

    def _drop_questions(self) -> None:
        """Nobody will answer."""
        for question in self._questions.values():
            if not question.done():
                question.set_result(None)
        self._questions.clear()
        self._overdue.clear()

    def _ready(self, message: Ready) -> None:
        assert self._listener is not None
        self._drop_timers()
        self._importing = None
        self.documents = message.documents
        self.devices = message.devices
        self.versions = message.versions
        self.packs = message.packs
        self.replacements = message.replacements
        self.model_folders = message.model_folders
        self.rewrites_prompts = message.rewrites_prompts
        if self._killed is not None:
            return
        self.routes_at = message.routes_at
        self.state = WorkerState.READY
        self._has_been_ready = True
        self._failed_starts = 0
        logger.info("device process %s is ready after %.1f s", self.name, message.import_seconds)
        self._listener.worker_ready(self)

    def _import_takes_long(self, pack: str) -> None:
        self._kill(Cause.TIMEOUT, f"pack {pack} took longer than {self._pack_import_timeout_s:g} s to import")

    def lost(self, channel: _Channel) -> None:
        """The socket closed: the process has ended or is about to."""
        if channel is self._channel and not self._closing:
            self._channel = None
            self.pid = None
            self.state = WorkerState.STARTING  # at once: a job may be given before the task below begins
            self._tasks.start(self._bury())

    async def _bury(self) -> None:
        """Find out how the process ended, tell the listener, start another."""
        process, request = self._process, self._request
        self._request = None
        self._interrupted = False
        self._drop_timers()
        assert process is not None
        assert self._listener is not None
        code = await process.end()
        self.pid = None
        if self.routes_at is not None:
            discard_socket(self.routes_at)
            self.routes_at = None
        self._drop_questions()
        death = self._death(code, request)
        if request is not None and self._last_word is not None:
            death = replace(death, node=self._last_word.read(request.job_id, request.attempt))
        if self._importing is not None:
            self._skipped_packs[self._importing] = f"a device process died while it imported this pack: {death.reason}"
        logger.warning("device process %s ended: %s", self.name, death.reason)
        try:
            self._listener.worker_died(
                self, request.job_id if request else None, request.attempt if request else 0, death
            )
        except Exception:  # whatever the listener makes of it, jobs to come need a process
            logger.exception("the end of device process %s could not be told", self.name)
        # A pack that a process died of is left out by the next one: no reason to wait.
        self._failed_starts = 0 if self._has_been_ready or self._importing else self._failed_starts + 1
        await self._replace()

    async def _replace(self) -> None:
        """Start another process, again and again while the system has no room for one."""
        while True:
            await asyncio.sleep(_RESTART_DELAYS_S[min(self._failed_starts, len(_RESTART_DELAYS_S) - 1)])
            try:
                return await self._spawn()
            except Exception as error:  # no descriptors, no memory, no threads, an interpreter that is being replaced
                self._failed_starts += 1
                logger.error("device process %s could not be started and is tried again: %r", self.name, error)

    def _death(self, code: int, request: Request | None) -> Death:
        killed = self._killed
        if killed is not None and (request is None or request is killed.request):
            return killed.death
        if code < 0:
            with contextlib.suppress(ValueError):
                return Death(Cause.CRASH, f"killed by signal {-code} ({signal.Signals(-code).name})")
            return Death(Cause.CRASH, f"killed by signal {-code}")
        return Death(Cause.CRASH, f"it exited with code {code}")

    # -- the dispatcher asks -----------------------------------------------------------------------------------------

    def execute(self, request: Request) -> None:
        """Begin a job. The process must be READY."""
        assert self._channel is not None
        assert self.state is WorkerState.READY
        self.state = WorkerState.BUSY
        self._request = request
        self._secrets = tuple(dict.fromkeys((*secret_values(request.extra_data), *self._secrets)))[:_MOST_SECRETS]
        self._channel.send(
            Execute(
                request.job_id,
                request.attempt,
                request.graph,
                list(request.outputs),
                dict(request.extra_data),
                request.ask_validators,
            )
        )
        if request.timeout_s is not None:
            loop = asyncio.get_running_loop()
            self._timers.append(loop.call_later(request.timeout_s, self._time_out, request))

    def interrupt(self, job_id: str) -> None:
        """Ask the job to stop; kill the process when it does not within the grace time, or when asked again."""
        if self._request is None or self._request.job_id != job_id or self._channel is None:
            return
        if self._interrupted:
            self._kill(Cause.CANCEL, "it was stopped by force")
            return
        self._interrupted = True
        self._ask_to_stop(Cause.CANCEL, f"it did not obey an interrupt within {self._grace_s:g} s")

    async def ask(
        self, question: Question, timeout_s: float, *, late: Callable[[bytes], None] | None = None
    ) -> bytes | None:
        """Ask the process beside its run; the answer as msgpack or JSON, None when it gives none in time.

        It answers one question after another. While one is overdue, there are no others: they would wait in vain, and
        in the process without end.
        """
        if self._closing or self._channel is None or self.state not in (WorkerState.READY, WorkerState.BUSY):
            return None
        if self._overdue:
            return None
        self._question_number += 1
        number = self._question_number
        future = self._questions[number] = asyncio.get_running_loop().create_future()
        self._channel.send(Ask(number, question))
        try:
            async with asyncio.timeout(timeout_s):
                body: bytes | None = await future
                return body
        except TimeoutError:
            logger.warning("device process %s is slow to answer %s", self.name, type(question).__name__)
            return None
        finally:
            if self._questions.pop(number, None) is not None:  # given up, or whoever asked is gone
                self._overdue[number] = late

    def free(self, *, unload_models: bool, free_memory: bool) -> None:
        if self._channel is not None:
            self._channel.send(Free(unload_models, free_memory))

    def _time_out(self, request: Request) -> None:
        if self._request is request:
            self._ask_to_stop(Cause.TIMEOUT, f"it ran longer than {request.timeout_s:g} s and did not stop")

    def _ask_to_stop(self, cause: Cause, reason: str) -> None:
        assert self._channel is not None
        assert self._request is not None
        self._channel.send(Interrupt(self._request.job_id))
        self._timers.append(asyncio.get_running_loop().call_later(self._grace_s, self._kill, cause, reason))

    def _kill(self, cause: Cause, reason: str) -> None:
        if self._process is not None and self._process.is_running:
            self._killed = self._killed or _Kill(Death(cause, reason), self._request)
            if self.state is WorkerState.READY:
                self.state = WorkerState.STARTING
            self._process.kill()

    def _drop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
