"""Messages of the socket as types, whatever arrives."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.client.events import (
    Event,
    JobFailure,
    JobLeft,
    NodesCached,
    NodeStarted,
    NodeStates,
    NodeText,
    Preview,
    QueueStatus,
    Unknown,
    read_event,
    read_message,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KINDS = ["status", "execution_start", "execution_cached", "executing", "progress", "progress_state", "executed"]
KEYS = ["prompt_id", "node", "nodes", "output", "value", "max", "status", "display_node", "traceback"]


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_no_message_breaks_the_reader(message: str | bytes) -> None:
    assert isinstance(read_message(message), Event)


@given(st.sampled_from([*KINDS, "execution_error", "x"]), st.dictionaries(st.sampled_from(KEYS), JSON) | JSON)
def test_no_event_breaks_the_reader(kind: str, data: object) -> None:
    assert isinstance(read_event(kind, data), Event)


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ('{"type":"status","data":{"status":{"exec_info":{"queue_remaining":3}},"sid":"s"}}', QueueStatus(3, "s")),
        ('{"type":"execution_cached","data":{"nodes":[1,"2"],"prompt_id":"p"}}', NodesCached("p", ("1", "2"))),
        ('{"type":"executing","data":{"node":7,"prompt_id":1234}}', NodeStarted("1234", "7", "7")),
        (
            '{"type":"executing","data":{"node":"5.0.1","display_node":"5","prompt_id":"p"}}',
            NodeStarted("p", "5.0.1", "5"),
        ),
        ('{"type":"executing","data":{"node":null,"prompt_id":"p"}}', JobLeft("p")),
        (
            '{"type":"progress_state","data":{"prompt_id":"p","nodes":{"1":{"value":1}}}}',
            NodeStates("p", {"1": {"value": 1}}),
        ),
        ('{"type":"crystools.monitor","data":{"cpu":1}}', Unknown(None, "crystools.monitor", {"cpu": 1})),
        ("not json", Unknown(None, "", "not json")),
        (struct.pack(">II", 1, 2) + b"\x89PNG", Preview(None, None, "image/png", b"\x89PNG")),
        (struct.pack(">II", 3, 1) + b"7half done", NodeText(None, "7", "half done")),
        (struct.pack(">II", 4, 99) + b"{}", Unknown(None, "binary", struct.pack(">II", 4, 99) + b"{}")),
    ],
)
def test_messages_are_read(message: str | bytes, event: Event) -> None:
    assert read_message(message) == event


def test_only_a_blocked_branch_lets_the_job_go_on() -> None:
    blocked = read_event("execution_error", {"prompt_id": "p", "exception_type": "ExecutionBlocked"})
    failed = read_event("execution_error", {"prompt_id": "p", "exception_type": "ValueError"})
    assert isinstance(blocked, JobFailure)
    assert isinstance(failed, JobFailure)
    assert not blocked.ends_job
    assert failed.ends_job
