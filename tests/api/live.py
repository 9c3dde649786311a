"""A whole server in a process of its own, for tests that need real sockets and the real device process."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import uuid
import weakref
from pathlib import Path

import httpx
import psutil
from websockets.sync.client import connect

SOURCE = Path(__file__).parent.parent.parent / "src"


_PROGRAM = """
import functools, json, logging, sys
from inglenook.api import services
from inglenook.api.server import serve
from inglenook.dispatch import questions
from inglenook.jobs import database
from inglenook.settings import Settings
logging.basicConfig(level=logging.INFO)
database.SYNCHRONOUS = sys.argv[2]
questions.PATIENCE_S = float(sys.argv[3])
services.DeviceWorker = functools.partial(services.DeviceWorker, command=(sys.executable, "-c", sys.argv[4]))
serve(Settings(**json.loads(sys.argv[1])))
"""
_CHILD = """
from inglenook.workers import child
def start(configure, process):
    from inglenook.models import architectures
    from inglenook.workers.runtime import EngineRuntime
    architectures.preload = lambda: None
    return EngineRuntime.start(configure, process)
child.main(start)
"""
"""A device process that imports the libraries of models when a job needs them: few tests have models, and it takes
twice as long as all the rest. Those of `tests/cli` import them beside their start, as the product does."""


NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that speak plain HTTP: reading the certificates of the system costs each of them 20 ms."""


def reserved_port() -> socket.socket:
    """A socket whose port the system gives to nobody who asks for any, while it is open.

    On Linux a server that names the port can listen there nevertheless, since this one does not and both allow it.
    Elsewhere the port is only likely to be free.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder


class LiveServer:
    """Starts a server on a base folder; `url` answers once `start` returns. settings: as `Settings` takes them.

    key: one that the server needs; `Settings.api_key` has it. modules: folder where it finds modules first.
    flushed: whether files and the database are flushed to the disk, as they are outside of tests. patience_s: how long
    the server waits for answers of packs; long, so that a busy machine changes no answer.
    """

    def __init__(
        self,
        base: Path,
        *,
        key: str | None = None,
        modules: Path | None = None,
        flushed: bool = False,
        patience_s: float = 60,
        **settings,
    ) -> None:
        self.base = base
        reserved = reserved_port()
        self.port = reserved.getsockname()[1]
        if sys.platform == "linux":
            weakref.finalize(self, reserved.close)
        else:
            reserved.close()
        self.url = f"http://127.0.0.1:{self.port}"
        self._settings = {
            "base_directory": str(base),
            "port": self.port,
            "cpu": True,
            "flush_outputs": flushed,
            **settings,
        }
        self._synchronous = "FULL" if flushed else "OFF"
        self._patience_s = patience_s
        if key is not None:
            self._settings["api_key"] = key
        self._path = os.pathsep.join(str(path) for path in (modules, SOURCE) if path is not None)
        self._log = base / "server.log"
        self._headers = {} if key is None else {"X-API-Key": key}
        self._http = self._client()
        self.process: subprocess.Popen | None = None

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self._headers, timeout=60, verify=NO_TLS)

    def start(self) -> LiveServer:
        self.base.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-c", _PROGRAM),
                    *(json.dumps(self._settings), self._synchronous, str(self._patience_s), _CHILD),
                ],
                env={**os.environ, "PYTHONPATH": self._path, "TMPDIR": str(self.base)},
                stdout=log,
                stderr=log,
            )
        self.until(lambda: self.get("/system_stats").status_code == 200, 180)
        return self

    def until(self, condition, timeout_s=60.0):
        """Wait for something to become true; a connection that fails counts as not yet."""
        end, pause_s = time.monotonic() + timeout_s, 0.01
        while time.monotonic() < end:
            assert self.process is None or self.process.poll() is None, self.log
            with contextlib.suppress(httpx.TransportError):
                if found := condition():
                    return found
            time.sleep(pause_s)
            pause_s = min(0.05, pause_s * 1.2)  # who waits long takes little from whom it waits for
        raise TimeoutError(self.log)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self._http.close()  # a server that ends waits for its connections
        self._http = self._client()
        self.process.send_signal(how)
        code = self.process.wait(60)
        self.process = None
        return code

    # -- the API, as a client uses it ----------------------------------------------------------------------------------

    def get(self, path, **options):
        return self._http.get(path, **options)

    def post(self, path, body=None, **options):
        if body is not None:
            options["content"] = body if isinstance(body, (bytes, str)) else json.dumps(body)
        return self._http.post(path, **options)

    def submit(self, graph, **fields):
        reply = self.post("/prompt", {"prompt": graph, **fields})
        assert reply.status_code == 200, reply.text
        return reply.json()["prompt_id"]

    def wait(self, prompt_id, timeout_s=120.0):
        """Return the history entry of a job once it has ended."""
        return self.until(lambda: self.get(f"/history/{prompt_id}").json().get(prompt_id), timeout_s)

    def run(self, graph, **fields):
        return self.wait(self.submit(graph, **fields))

    def until_running(self, prompt_id):
        self.until(lambda: prompt_id in [item[1] for item in self.get("/queue").json()["queue_running"]])

    def until_idle(self):
        self.until(lambda: self.get("/prompt").json()["exec_info"]["queue_remaining"] == 0)

    def socket(self, client_id=None, **options):
        query = "" if client_id is None else f"?clientId={client_id}"
        return connect(
            f"ws://127.0.0.1:{self.port}/ws{query}",
            max_size=None,
            open_timeout=60,
            additional_headers=self._headers,
            **options,
        )


def read_until(websocket, condition, timeout_s=60.0):
    """Return all messages (JSON parsed, binary as bytes) up to the first that fulfils the condition."""
    seen = []
    end = time.monotonic() + timeout_s
    while True:
        raw = websocket.recv(timeout=max(0.01, end - time.monotonic()))
        message = raw if isinstance(raw, bytes) else json.loads(raw)
        seen.append(message)
        if condition(message):
            return seen


def read_for(websocket, quiet_s=0.3):
    """Return the messages that come until none has come for a while."""
    seen = []
    with contextlib.suppress(TimeoutError):
        while True:
            raw = websocket.recv(timeout=quiet_s)
            seen.append(raw if isinstance(raw, bytes) else json.loads(raw))
    return seen


def is_left(prompt_id):
    """A condition for `read_until`: the job is over and out of the queue."""

    def check(message):
        return (
            isinstance(message, dict)
            and message["type"] == "executing"
            and message["data"].get("node", "") is None
            and message["data"].get("prompt_id") == prompt_id
        )

    return check


def is_alive(pid: int) -> bool:
    """Whether a process has not ended; it may be waiting for somebody to take notice of that."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def new_id() -> str:
    return uuid.uuid4().hex


def picture_graph(color=0, *, sink="PreviewImage", size=64, **sink_inputs):
    """EmptyImage into a saving node."""
    return {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": size, "height": size, "batch_size": 1, "color": color},
        },
        "2": {"class_type": sink, "inputs": {"images": ["1", 0], **sink_inputs}},
    }


_colors = itertools.count(0x1000)


def new_color() -> int:
    """One that no other picture of this process has, so that no cache knows what is made of it."""
    return next(_colors)


def blocking_graph(color):
    """Many seconds of work in short nodes: a job that a test finds running, and interrupts between two of them."""
    work = {"class_type": "ImageBlur", "inputs": {"blur_radius": 31, "sigma": 10.0}}
    return _chain(color, [work] * 400, side=384)


def working_graph(color, *, nodes, side=256):
    """Work in short nodes that ends soon."""
    scale = {"upscale_method": "bicubic", "height": side, "crop": "disabled"}
    work = [
        {"class_type": "ImageScale", "inputs": {**scale, "width": side + index % 2 * 8}}
        for index in range(1, nodes + 1)
    ]
    return _chain(color, work, side=side)


def _chain(color, nodes, *, side):
    """A picture, what the nodes make of it one after another, and its preview."""
    empty = {"width": side, "height": side, "batch_size": 1, "color": color}
    graph = {"0": {"class_type": "EmptyImage", "inputs": empty}}
    for index, node in enumerate(nodes, 1):
        graph[str(index)] = {**node, "inputs": {"image": [str(index - 1), 0], **node["inputs"]}}
    graph["out"] = {"class_type": "PreviewImage", "inputs": {"images": [str(len(nodes)), 0]}}
    return graph
