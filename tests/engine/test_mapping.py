"""Lists of values: calls per element, and results put together."""

from __future__ import annotations

from typing import Any

import pytest

from inglenook.engine.mapping import calls, merge_outputs, merge_ui


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, [{}]),
        ({"a": [1], "b": [2]}, [{"a": 1, "b": 2}]),
        ({"a": [1, 2, 3], "b": [8, 9]}, [{"a": 1, "b": 8}, {"a": 2, "b": 9}, {"a": 3, "b": 9}]),
        ({"a": [], "b": []}, [{}]),
    ],
)
def test_one_call_per_element_of_the_longest_list(inputs: dict[str, list[Any]], expected: list[dict[str, Any]]) -> None:
    assert calls(inputs, is_input_list=False) == expected


def test_an_empty_list_beside_a_full_one_is_an_error() -> None:
    for full in ([1], [1, 2]):
        with pytest.raises(ValueError, match="empty list"):
            calls({"a": full, "b": []}, is_input_list=False)


def test_a_class_that_takes_lists_gets_copies_of_them() -> None:
    inputs: dict[str, list[Any]] = {"a": [1, 2], "b": []}
    (arguments,) = calls(inputs, is_input_list=True)
    assert arguments == inputs
    arguments["a"].append(3)
    assert inputs["a"] == [1, 2]


def test_outputs_are_collected_or_concatenated() -> None:
    assert merge_outputs([(1, [2, 3]), (4, [5])], [False, True]) == ([1, 4], [2, 3, 5])
    assert merge_outputs([(1, [2, 3])], [False, True]) == ([1], [2, 3])


def test_ui_is_merged_by_the_keys_of_the_first() -> None:
    assert merge_ui([{"text": ["a"]}, {"text": ["b"], "more": [1]}]) == {"text": ["a", "b"]}
    assert merge_ui([]) is None
    assert merge_ui([{"text": "abc", "n": (1, 2)}]) == {"text": ["abc"], "n": [1, 2]}
