"""Somebody who is told of jobs: a small HTTP server that remembers what it was sent."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """`answers`: the statuses of the next requests, then 200. `hold`: while it is set, requests wait."""

    def __init__(self):
        self.requests = []
        self.answers = []
        self.headers = {}
        self.released = threading.Event()
        self.released.set()
        self._changed = threading.Condition()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                owner._note(self)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?a=1"

    def _note(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        with self._changed:
            self.requests.append((handler.path, dict(handler.headers), body))
            status = self.answers.pop(0) if self.answers else 200
            self._changed.notify_all()
        self.released.wait(60)
        handler.send_response(status)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "2")
        with suppress(OSError):  # whoever asked did not wait
            handler.end_headers()
            handler.wfile.write(b"ok")

    def until(self, count, timeout_s=60):
        """The first requests, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= count, timeout_s), self.requests
            return self.requests[:count]


@contextmanager
def receiver(tls=None):
    """tls: the context of a receiver that speaks https."""
    one = Receiver()
    if tls is not None:
        one._server.socket = tls.wrap_socket(one._server.socket, server_side=True)
        one.url = one.url.replace("http", "https", 1)
    thread = threading.Thread(target=one._server.serve_forever, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        one.released.set()
        one._server.shutdown()
        one._server.server_close()
        thread.join()
