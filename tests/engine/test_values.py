"""Values in messages are short and can be sent, whatever they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from inglenook.engine.values import echo, plain, shorten, summary

HOSTILE: list[Any] = [
    "x" * 10**6,
    10**6000,
    float("nan"),
    float("-inf"),
    {"a": {"b": ["c" * 10**5] * 100}},
    [[[[[[[]]]]]]] * 1000,
    {"k" * 10**5: 1},
    object(),
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: type(value).__name__)
def test_repeated_values_are_short_and_encodable(value: Any) -> None:
    assert len(shorten(value)) < 400
    assert len(msgspec.json.encode(echo(value))) < 3000


def test_small_values_are_repeated_as_they_are() -> None:
    for value in (None, True, 3, 2.5, "text", [1, {"a": "b"}], 2**64 - 1):
        assert echo(value) is value


class Tensor:
    shape = (1, 64, 64, 3)
    dtype = "torch.float32"

    def __str__(self) -> str:
        raise AssertionError("the contents must not be asked for")


def test_summary_of_inputs_never_shows_the_contents_of_a_tensor() -> None:
    assert summary(Tensor()) == "Tensor(shape=[1, 64, 64, 3], dtype=torch.float32)"
    assert "shape=[1, 64, 64, 3]" in summary({"samples": Tensor()})
    assert len(str(summary([Tensor()] * 10_000))) < 1000


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_summary_survives_objects_that_cannot_be_printed() -> None:
    assert summary(Unprintable()) == "<Unprintable>"


def test_summary_keeps_scalars_and_cuts_text() -> None:
    assert [summary(value) for value in (1, 2.5, True, None, "a")] == [1, 2.5, True, None, "a"]
    assert len(summary("x" * 100_000)) < 1100


def test_plain_makes_ui_data_json() -> None:
    given = {
        "n": np.float32(1.5),
        3: (1, {2}),
        "path": Path("a/b"),
        "nan": float("nan"),
        "array": np.zeros(4),
        "big": 10**30,
    }
    result = plain(given)
    assert result["n"] == 1.5
    assert result["3"] == [1, [2]]
    assert result["path"] == "a/b"
    assert result["nan"] is None
    assert "shape=[4]" in result["array"]
    msgspec.json.encode(result)
