"""A whole server in a process of its own, for tests that need real sockets and the real device process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import uuid
from pathlib import Path

import httpx
from websockets.sync.client import connect

SOURCE = Path(__file__).parent.parent.parent / "src"


_PROGRAM = """
import json, logging, sys
from inglenook.api.server import serve
from inglenook.jobs import database
from inglenook.settings import Settings
logging.basicConfig(level=logging.INFO)
database.SYNCHRONOUS = sys.argv[2]
serve(Settings(**json.loads(sys.argv[1])))
"""


NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that speak plain HTTP: reading the certificates of the system costs each of them 20 ms."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class LiveServer:
    """Starts a server on a base folder; `url` answers once `start` returns. settings: as `Settings` takes them.

    key: one that the server needs; `Settings.api_key` has it. modules: folder where it finds modules first.
    flushed: whether files and the database are flushed to the disk, as they are outside of tests.
    """

    def __init__(
        self, base: Path, *, key: str | None = None, modules: Path | None = None, flushed: bool = False, **settings
    ) -> None:
        self.base = base
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._settings = {
            "base_directory": str(base),
            "port": self.port,
            "cpu": True,
            "flush_outputs": flushed,
            **settings,
        }
        self._synchronous = "FULL" if flushed else "OFF"
        if key is not None:
            self._settings["api_key"] = key
        self._path = os.pathsep.join(str(path) for path in (modules, SOURCE) if path is not None)
        self._log = base / "server.log"
        self._headers = {} if key is None else {"X-API-Key": key}
        self._http = self._client()
        self.process: subprocess.Popen | None = None

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self._headers, timeout=30, verify=NO_TLS)

    def start(self) -> LiveServer:
        self.base.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, json.dumps(self._settings), self._synchronous],
                env={**os.environ, "PYTHONPATH": self._path},
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
        code = self.process.wait(40)
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

    def socket(self, client_id=None):
        query = "" if client_id is None else f"?clientId={client_id}"
        return connect(
            f"ws://127.0.0.1:{self.port}/ws{query}", max_size=None, open_timeout=30, additional_headers=self._headers
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


def blocking_graph(color=0, *, nodes=400, side=256):
    """Some seconds of work in short nodes, so that it can be interrupted between them."""
    graph = {
        "0": {"class_type": "EmptyImage", "inputs": {"width": side, "height": side, "batch_size": 1, "color": color}}
    }
    for index in range(1, nodes + 1):
        graph[str(index)] = {
            "class_type": "ImageScale",
            "inputs": {
                "image": [str(index - 1), 0],
                "upscale_method": "bicubic",
                "width": side + index % 2 * 8,
                "height": side,
                "crop": "disabled",
            },
        }
    graph["out"] = {"class_type": "PreviewImage", "inputs": {"images": [str(nodes), 0]}}
    return graph
