"""Bodies that are small in bytes and large in parts do not hold up the server."""

import asyncio
import gc

import pytest
from starlette.requests import Request

from inglenook.api.bodies import MAX_STRUCTURE, json_body, parse_json
from inglenook.api.errors import ApiError


def wide(count):
    return b"[" + b"[]," * count + b"1]"


def request_with(body):
    async def receive():
        return {"type": "http.request", "body": body}

    return Request({"type": "http", "headers": []}, receive)


async def test_a_wide_body_is_refused_before_it_is_parsed(idle):
    reply = await idle.http.post("/prompt", content=wide(6_000_000))
    assert reply.status_code == 413
    assert str(MAX_STRUCTURE) in reply.json()["error"]["message"]
    for path in ("/queue", "/history", "/free"):
        assert (await idle.http.post(path, content=b'{"a":' + wide(MAX_STRUCTURE // 2) + b"}")).status_code == 413


@pytest.mark.parametrize("body", [wide(100_000), b'"' + b"x" * (2 << 20) + b'"'])
async def test_the_server_goes_on_while_a_large_body_is_parsed(body):
    request = request_with(body)
    await request.body()
    parsing = asyncio.create_task(json_body(request, 100))
    rounds = 0
    while not parsing.done():
        await asyncio.sleep(0)
        rounds += 1
    assert len(parsing.result()) > 100_000
    assert rounds > 2  # one to begin it and one to see its end, when it is parsed in the event loop


@pytest.mark.parametrize("end", [b"", b"no JSON"])
def test_the_garbage_collector_rests_while_a_wide_body_is_parsed(end):
    collections = []
    gc.callbacks.append(lambda phase, info: collections.append(phase))
    try:
        if end:
            with pytest.raises(ApiError, match="not valid"):
                parse_json(wide(200_000) + end, 100)
        else:
            parse_json(wide(200_000), 1000)
    finally:
        gc.callbacks.pop()
    assert gc.isenabled()
    assert len(collections) < 20


@pytest.mark.parametrize(("depth", "is_refused"), [(100, False), (101, True)])
@pytest.mark.parametrize("pad", [b"", b'"' + b"[{," * 100_000 + b'",', b"[]," * 100_000, b'"' + b"]}" * 1000 + b'",'])
def test_nesting_is_counted_exactly(depth, is_refused, pad):
    body = b"[" + pad + b"[" * (depth - 1) + b"]" * depth
    if is_refused:
        with pytest.raises(ApiError, match="deeper than 100 levels"):
            parse_json(body, 100)
    else:
        parse_json(body, 100)
