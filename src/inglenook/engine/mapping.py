"""How a node that knows nothing of lists runs over lists of values, and how its results become lists again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inglenook.engine.blocker import ExecutionBlocker
from inglenook.engine.values import plain, well_formed
from inglenook.errors import NodeError


def calls(inputs: Mapping[str, list[Any]], *, is_input_list: bool) -> list[dict[str, Any]]:
    """The arguments of each call.

    One call per element of the longest list, shorter ones repeat their last element; one call with the whole lists for
    a class that takes lists; one call without arguments when there are none.
    Raises ValueError when one list is empty and another is not.
    """
    if is_input_list:
        return [{name: list(values) for name, values in inputs.items()}]
    longest = max(map(len, inputs.values()), default=0)
    if longest == 1 and all(inputs.values()):
        return [{name: values[0] for name, values in inputs.items()}]
    if longest == 0:
        return [{}]
    for name, values in inputs.items():
        if not values:
            raise ValueError(f"input {name} received an empty list while another input has {longest} values")
    return [
        {name: values[index if index < len(values) else -1] for name, values in inputs.items()}
        for index in range(longest)
    ]


def blocker_in(arguments: Mapping[str, Any], *, is_input_list: bool) -> ExecutionBlocker | None:
    """The blocker that keeps a call from being made: the first one with a message, else a silent one."""
    found = None
    for value in arguments.values():
        for item in value if is_input_list and isinstance(value, list) else (value,):
            if isinstance(item, ExecutionBlocker):
                if item.message is not None:
                    return item
                found = item
    return found


def merge_outputs(results: Sequence[Sequence[Any]], is_list: Sequence[bool]) -> tuple[list[Any], ...]:
    """Per slot the values of all calls; a slot that is a list concatenates the calls' lists."""
    if len(results) == 1 and True not in is_list:
        return tuple([[value] for value in results[0]])
    if len(results) == 1:
        return tuple(
            as_values(value) if index < len(is_list) and is_list[index] else [value]
            for index, value in enumerate(results[0])
        )
    count = min(map(len, results))
    outputs: list[list[Any]] = []
    for index in range(count):
        if index < len(is_list) and is_list[index]:
            outputs.append([value for result in results for value in as_values(result[index])])
        else:
            outputs.append([result[index] for result in results])
    return tuple(outputs)


def as_values(value: Any) -> list[Any]:
    """What a list output gave: its elements, or one blocker."""
    if isinstance(value, ExecutionBlocker):
        return [value]
    return list(value)


def merge_ui(parts: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]] | None:
    """The ui data of all calls as plain JSON, key by key (the keys of the first); None when there was none.

    Raises NodeError, with the key, for what JSON cannot hold.
    """
    if not parts:
        return None
    return {well_formed(str(key)): _merged(parts, key) for key in parts[0]}


def _merged(parts: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    try:
        return [plain(item) for part in parts if key in part for item in _listed(part[key])]
    except NodeError as error:
        raise NodeError(f"ui data {key!r}: {error}") from error


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]
