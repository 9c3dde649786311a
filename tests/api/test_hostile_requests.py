"""Requests that mean harm, at every route of the server: each gets a clear 4xx or a harmless answer, nothing hangs.

What a route makes of wrong values of its own fields is tested beside it; here is what all of them must bear.
"""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Iterator

import pytest

from inglenook.api.app import route_table
from tests.api.live import LiveServer, picture_graph

ROUTES = sorted({(method, route.path) for route in route_table() for method in route.methods or ()})
TIMEOUT_S = 60

SEGMENTS = [
    "..",
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..%5cwindows",
    "%252e%252e%252fetc",
    "%c0%ae%c0%ae%c0%afetc",
    "%2fetc%2fpasswd",
    "a%00b",
    "%ff%fe",
    "%ed%a0%80",
    "%0d%0aX-Injected:%20yes",
    "a" * 5000,
    "-1",
    "1e400",
    "CON",
    "%3Cscript%3E",
    "%27%20OR%201=1--",
    "%F0%9F%92%A9%E2%80%AE",
]
QUERIES = [
    "limit=-1&offset=-1&max_items=-5",
    "limit=99999999999999999999999&offset=99999999999999999999999&max_items=99999999999999999999999",
    "limit=NaN&offset=Infinity&max_items=1e9&sort=;drop&order=up&status=,,,",
    "filename=..%2f..%2fetc%2fpasswd&type=output&subfolder=..%2f..",
    "filename=a%00.png&subfolder=%00&type=%00&dir=%00&path=%00",
    "filename=%ff&subfolder=%ed%a0%80&type=input&dir=%ff&path=%ed%a0%80",
    "dir=..&path=..&recurse=true&full_info=true&split=true",
    "dir=%2f&path=%2fetc&filename=%2fetc%2fpasswd",
    "dir=..%5c..&path=..%5c..&filename=..%5c..%5cboot.ini",
    "type=(a%2B)%2B%24&name=(a%2B)%2B%24&name_contains=" + "a" * 3000,
    "after=%00&hash=blake3:zz&tags_all=" + "x," * 500,
    "&&&===%%%&a[]=1&a[b][c]=2",
]
BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"NaN",
    b'{"prompt": NaN, "value": Infinity}',
    b"1e999",
    b"[" * 5000 + b"]" * 5000,
    b'{"a":' * 3000 + b"1" + b"}" * 3000,
    b'{"prompt": {"1": {"class_type": "a\\u0000b", "inputs": {"x": "\\ud800"}}}}',
    b'{"clear": "yes", "delete": {"a": 1}, "prompt_id": [1], "job_ids": "x", "client_id": {}, "front": []}',
    b'{"delete": [null, 1, [], {}], "job_ids": [null, 1, {}], "clientId": 7, "enabled": "x", "hash": 3, "name": []}',
    b'{"username": "../../x", "name": "../../x", "filename": "/etc/passwd", "workflow": 5, "tags": {"a": 1}}',
    b'{"prompt": 5, "extra_data": 5, "partial_execution_targets": {"a": 1}, "unload_models": "x", "free_memory": []}',
    b"\xff\xfe\x00\x00",
    b"\xef\xbb\xbf{}",
    b'--x\r\nContent-Disposition: form-data; name="image"; filename="../../x.png"\r\n\r\nzz\r\n--x--\r\n',
]
FORM_TYPES = [
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "multipart/form-data; boundary=" + "y" * 3000,
    "application/x-www-form-urlencoded",
    "text/html; charset=\xff",
]


class Attacker:
    """Sends requests as they are, without the care that HTTP clients take."""

    def __init__(self, server: LiveServer) -> None:
        self._server = server
        self._connection = self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=TIMEOUT_S)

    def close(self) -> None:
        self._connection.close()

    def send(self, method: str, target: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Return status and body of the answer; a connection that the server has closed is opened again once."""
        for is_last in (False, True):
            try:
                self._connection.putrequest(method, target, skip_host="Host" in headers)
                for name, value in headers.items():
                    self._connection.putheader(name.replace("_", "-"), value.encode("latin-1"))
                self._connection.putheader("Content-Length", str(len(body or b"")))
                self._connection.endheaders(body)
                answer = self._connection.getresponse()
                return answer.status, answer.read()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self._connection.close()
                self._connection = self._connect()
                if is_last:
                    raise
        raise AssertionError

    def expects_harmless(self, method: str, target: str, body: bytes | None = None, **headers: str) -> None:
        what = f"{method} {target[:120]} {(body or b'')[:60]!r} {headers}"
        status, answer = self.send(method, target, body, **headers)
        assert status < 500 or status == 503, f"{what}: {status} {answer[:300]!r}"
        assert b"root:" not in answer, what
        assert b"Traceback" not in answer or target.startswith("/internal/logs"), f"{what}: {answer[:300]!r}"
        assert str(self._server.base).encode() not in answer or may_name_folders(target), f"{what}: {answer[:300]!r}"


def may_name_folders(target: str) -> bool:
    """Whether a route tells where folders lie because its contract has it."""
    return target.startswith(("/internal/folder_paths", "/internal/logs", "/experiment/models", "/system_stats"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path_factory.mktemp("hostile")).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def attacker(server: LiveServer) -> Iterator[Attacker]:
    attacker = Attacker(server)
    yield attacker
    attacker.close()


def plain(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "x", path)


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda value: str(value))
def test_a_route_bears_hostile_requests(method: str, path: str, attacker: Attacker, server: LiveServer) -> None:
    for segment in SEGMENTS if "{" in path else ():
        attacker.expects_harmless(method, re.sub(r"\{[^}]*\}", segment.replace("\\", ""), path))
    for query in QUERIES:
        attacker.expects_harmless(method, f"{plain(path)}?{query}")
    if method in ("POST", "PUT", "PATCH", "DELETE"):
        for body in BODIES:
            attacker.expects_harmless(method, plain(path), body)
        for content_type in FORM_TYPES:
            attacker.expects_harmless(method, plain(path), BODIES[-1], Content_Type=content_type)
    for headers in (
        {"Range": "bytes=0-0,1-1," + "2-3," * 500},
        {"Range": "bytes=99999999999999999999-"},
        {"If-None-Match": '"' + "x" * 3000},
        {"If-Modified-Since": "Thu, 99 Foo 99999 99:99:99 GMT"},
        {"Accept-Encoding": "gzip;q=NaN, *;q=-1"},
        {"Comfy-User": "../../etc"},
        {"Authorization": "Bearer \xff\x00".replace("\x00", "")},
        {"Cookie": "a=" + "b" * 3000},
        {"Transfer-Encoding": "gzip"},
    ):
        attacker.expects_harmless(method, plain(path), **headers)


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "file://", "http://127.0.0.1:1", "about:blank"])
def test_pages_of_others_reach_no_route(origin: str, attacker: Attacker) -> None:
    for method, path in ROUTES:
        status, _ = attacker.send(method, plain(path), b"", Origin=origin)
        assert status == 403, (method, path, origin)


def test_a_foreign_host_is_refused_at_every_route(attacker: Attacker) -> None:
    for method, path in ROUTES:
        status, _ = attacker.send(method, plain(path), b"", Host="rebound.example", Accept_Language="en")
        assert status == 403, (method, path)


def test_broken_http_ends_soon(server: LiveServer) -> None:
    for request in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /prompt HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /prompt HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /prompt HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n",
        b"\r\n" * 1000,
    ):
        with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):
                pass


def test_the_server_still_works_after_all_that(server: LiveServer) -> None:
    assert server.post("/api/queue/resume").status_code == 200  # the route that pauses it was called too
    assert server.run(picture_graph())["status"]["completed"]
