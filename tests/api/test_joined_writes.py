"""Short answers leave in one piece, long and streamed ones whole and at once."""

from __future__ import annotations

import socket

from tests.api.live import LiveServer


def test_head_and_body_of_a_short_answer_come_in_one_packet(live: LiveServer) -> None:
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as connection:
        for _ in range(20):
            connection.sendall(b"GET /prompt HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b"queue_remaining" in connection.recv(1 << 16)


def test_pipelined_requests_are_answered_in_order(live: LiveServer) -> None:
    requests = b"".join(
        f"GET /{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{close}\r\n".encode()
        for path, close in (("prompt", ""), ("queue", ""), ("features", "Connection: close\r\n"))
    )
    with socket.create_connection(("127.0.0.1", live.port), timeout=60) as connection:
        connection.sendall(requests)
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert answer.count(b"HTTP/1.1 200") == 3
    assert answer.index(b"queue_remaining") < answer.index(b"queue_pending") < answer.index(b"max_upload_size")


def test_a_long_answer_is_whole(live: LiveServer) -> None:
    content = bytes(range(256)) * 4000
    live.post("/upload/image", files={"image": ("long.bin", content)}, data={"overwrite": "true"})
    for path in ("/view?filename=long.bin&type=input", "/prompt", "/view?filename=long.bin&type=input"):
        reply = live.get(path)
        assert int(reply.headers["content-length"]) == len(reply.content)
    assert reply.content == content
