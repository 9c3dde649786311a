"""Faults of the device process and of starting it: they cost at most the job that meets them."""

import pytest

from inglenook.jobs import State

OK = ("Say", {"text": "hello"})


async def succeeds_in_the_same_process(server, pid):
    await server.submit("next", OK)
    await server.recorder.until("next")
    assert (await server.store.get("next")).state is State.succeeded
    assert server.worker.pid == pid


@pytest.mark.parametrize("kind", ["surrogate", "integer", "object"])
async def test_a_result_that_cannot_be_sent_fails_its_job_only(server, kind):
    await server.submit("warm", OK)
    await server.recorder.until("warm")
    pid = server.worker.pid
    await server.submit("odd", ("Odd", {"kind": kind}))
    failed = await server.recorder.until("odd", "Failed")
    assert "cannot be sent" in failed.message
    await succeeds_in_the_same_process(server, pid)


async def test_an_exception_whose_text_is_no_unicode_is_told(server):
    await server.submit("odd", ("Odd", {"kind": "surrogate", "fails": True}))
    failed = await server.recorder.until("odd", "Failed")
    assert failed.exception_type == "ValueError"
    assert failed.message == "\ufffd\n"


async def test_events_go_out_after_one_that_cannot_be_sent(server):
    await server.submit("odd", ("Odd", {"kind": "object", "late": True}), ("Sleep", {"seconds": 0.2}))
    await server.recorder.until("odd")
    names = server.recorder.names("odd")
    assert names == ["Started", "Cached", *["NodeStarted", "NodeDone"] * 2, "Succeeded", "Left"]
    progress = [name for _, name, _ in server.recorder.seen].index("Progress")
    assert progress < [name for _, name, _ in server.recorder.seen].index("Succeeded")


@pytest.mark.parametrize("kind", ["RuntimeError", "SystemExit"])
async def test_an_exception_that_escapes_the_runtime_fails_its_job_only(server, kind):
    await server.submit("warm", OK)
    await server.recorder.until("warm")
    pid = server.worker.pid
    await server.submit("escape", ("Escape", {"kind": kind}))
    failed = await server.recorder.until("escape", "Failed")
    assert (failed.exception_type, failed.message) == (kind, "escaped\n")
    await succeeds_in_the_same_process(server, pid)
