"""What can be wrong with a node, in the words of ComfyUI's `node_errors` (type, message, details, extra_info)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inglenook.engine.graph import Link
from inglenook.engine.values import echo, shorten

Problem = dict[str, Any]
LONG_LIST = 20
"""Lists of choices longer than this are not repeated in errors."""
_CYCLE_SHOWN = 50


def problem(type: str, message: str, details: str, **extra_info: Any) -> Problem:
    return {"type": type, "message": message, "details": details, "extra_info": extra_info}


def input_missing(name: str) -> Problem:
    """`name`: the last segment of a dotted name."""
    return problem("required_input_missing", "Required input is missing", name, input_name=name)


def bad_link(name: str, config: Any, value: Any) -> Problem:
    message = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
    return problem("bad_linked_input", message, name, input_name=name, input_config=config, received_value=echo(value))


def type_mismatch(name: str, config: Any, link: Link, received: Any, wanted: Any) -> Problem:
    received, wanted = _type_name(received), _type_name(wanted)
    return problem(
        "return_type_mismatch",
        "Return type mismatch between linked nodes",
        f"{name}, received_type({shorten(received)}) mismatch input_type({shorten(wanted)})",
        input_name=name,
        input_config=config,
        received_type=shorten(received) if isinstance(received, list) and len(received) > LONG_LIST else received,
        linked_node=[link.node_id, link.slot],
    )


def _type_name(kind: Any) -> Any:
    return list(kind) if isinstance(kind, tuple) else kind


def not_convertible(name: str, config: Any, value: Any, kind: str, error: str) -> Problem:
    return problem(
        "invalid_input_type",
        f"Failed to convert an input value to a {kind} value",
        f"{name}, {shorten(value)}, {error}",
        input_name=name,
        input_config=config,
        received_value=echo(value),
        exception_message=error,
    )


def out_of_range(name: str, config: Any, value: Any, bound: Any, *, too_small: bool) -> Problem:
    type_, word = (
        ("value_smaller_than_min", "smaller than min") if too_small else ("value_bigger_than_max", "bigger than max")
    )
    return problem(
        type_,
        f"Value {shorten(value)} {word} of {bound}",
        name,
        input_name=name,
        input_config=config,
        received_value=echo(value),
    )


def not_in_list(name: str, config: Any, value: Any, choices: Sequence[Any]) -> Problem:
    if len(choices) > LONG_LIST:
        listed = f"(list of length {len(choices)})"
    else:
        listed = shorten(str(list(choices)), 4000)
    return problem(
        "value_not_in_list",
        "Value not in list",
        f"{name}: '{shorten(value)}' not in {listed}",
        input_name=name,
        input_config=None if len(choices) > LONG_LIST else config,
        received_value=echo(value),
    )


def validator_refused(name: str, reason: str | None) -> Problem:
    details = name if reason is None else f"{name} - {shorten(reason, 1000)}"
    return problem("custom_validation_failed", "Custom validation failed for node", details, input_name=name)


def inner_exception(
    name: str, config: Any, link: Link, error_type: str, error: str, traceback: Sequence[str] = ()
) -> Problem:
    """A fault that the reference meets as an exception, at a node that is not an output; attached to that node."""
    return problem(
        "exception_during_inner_validation",
        "Exception when validating inner node",
        error,
        input_name=name,
        input_config=config,
        exception_message=error,
        exception_type=error_type,
        traceback=list(traceback),
        linked_node=[link.node_id, link.slot],
    )


def root_exception(error_type: str, error: str, traceback: Sequence[str] = ()) -> Problem:
    """A fault that the reference meets as an exception, at an output node."""
    return problem(
        "exception_during_validation",
        "Exception when validating node",
        error,
        exception_type=error_type,
        traceback=list(traceback),
    )


def dependency_cycle(node_id: str, cycle: Sequence[tuple[str, str]], length: int) -> Problem:
    """cycle: (id, class) of its first nodes, `node_id` first; length: of the whole cycle."""
    shown = cycle[:_CYCLE_SHOWN]
    path = [f"{shorten(id_, 60)} ({shorten(class_type, 60)})" for id_, class_type in shown]
    if length > len(shown):
        path.append(f"... {length - len(shown)} more ...")
    path.append(path[0])
    return problem(
        "dependency_cycle",
        "Dependency cycle detected",
        " -> ".join(path),
        node_id=node_id,
        cycle_nodes=[id_ for id_, _ in shown],
    )


def invalid_dynamic_input(name: str, text: str) -> Problem:
    return problem("invalid_dynamic_input", "Invalid dynamic input", text, input_name=name)
