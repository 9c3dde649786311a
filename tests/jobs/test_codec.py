"""What is stored comes back unchanged."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.jobs.codec import COMPRESS_ABOVE_BYTES, from_json, pack, to_json, unpack

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(values)
def test_json_round_trip(value: object) -> None:
    assert from_json(to_json(value)) == value


@pytest.mark.parametrize("value", ["lone \ud800", 2**64, -(2**64) - 1, [10**30, 1.5, {"a": "\udfff"}]])
def test_json_that_orjson_refuses(value: object) -> None:
    assert from_json(to_json(value)) == value
    assert json.loads(to_json(value)) == value


@given(st.integers(0, 3 * COMPRESS_ABOVE_BYTES), st.sampled_from(["x", "é", "0123"]))
def test_packed_documents_come_back(length: int, text: str) -> None:
    document = json.dumps(text * length, ensure_ascii=False).encode()
    assert unpack(pack(document)) == document


def test_only_large_documents_are_compressed() -> None:
    small = b"[" + b" " * (COMPRESS_ABOVE_BYTES - 2) + b"]"
    assert pack(small) is small
    assert len(pack(b" " + small)) < 100
