"""Validators of node classes (VALIDATE_INPUTS, validate_inputs): what they are asked, and what they answer.

A validator is code, so it runs where the node code is. `validation` collects the calls as data and takes the answers
as data; `answer` runs one call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from inglenook.engine.failure import exception_message, exception_name, exception_traceback
from inglenook.engine.graph import Link, ListConstant, Node
from inglenook.engine.mapping import calls
from inglenook.engine.schema import InputSpec, NodeSchema
from inglenook.engine.values import shorten, well_formed
from inglenook.errors import NodeError


class ValidatorCall(msgspec.Struct, frozen=True):
    """One node's inputs, as its class's validator takes them."""

    node_id: str
    class_type: str
    inputs: dict[str, Any]
    """The inputs that the validator names and the node has; None for linked ones. Hidden ones too."""
    input_types: dict[str, Any]
    """Types of the outputs that are linked to the node's inputs."""


class ValidatorRefused(NodeError):
    """The class's own validator refused a node when its run started."""


class ValidatorAnswer(msgspec.Struct, frozen=True):
    """What a validator said: per call True, False or a reason; or the exception that it raised."""

    results: list[bool | str]
    exception_type: str | None = None
    exception_message: str = ""
    traceback: list[str] = []


_HIDDEN: Mapping[str, Any] = {"PROMPT": {}}
"""What hidden inputs are before there is a run; others are None."""


def call_for(
    node: Node, schema: NodeSchema, declared: Mapping[str, InputSpec], type_of: Callable[[Link], Any]
) -> ValidatorCall:
    """What the validator of `schema` is asked about `node`. type_of: the type of the output that a link leads to."""
    names = declared if schema.validates_all else schema.validated_inputs - schema.file_inputs.keys()
    inputs = {
        name: None if type(value) is Link else list(value) if type(value) is ListConstant else value
        for name, value in node.inputs.items()
        if name in names and name in declared
    }
    inputs |= {
        name: _HIDDEN.get(kind) if kind != "UNIQUE_ID" else node.id
        for name, kind in schema.hidden.items()
        if name not in declared and (schema.validates_all or name in schema.validated_inputs)
    }
    types = {name: type_of(value) for name, value in node.inputs.items() if name in declared and type(value) is Link}
    return ValidatorCall(node.id, node.class_type, inputs, types)


def answer(
    call: ValidatorCall, schema: NodeSchema, validate: Callable[..., Any], wait_for: Callable[[Any], Any]
) -> ValidatorAnswer:
    """Run a validator, mapped over its inputs as the node function would be. wait_for: awaits what is awaitable."""
    inputs = {name: [value] for name, value in call.inputs.items()}
    if schema.checks_types:
        inputs["input_types"] = [call.input_types]
    try:
        results = [
            _result(wait_for(validate(**arguments))) for arguments in calls(inputs, is_input_list=schema.is_input_list)
        ]
    except Exception as error:
        return ValidatorAnswer(
            [], exception_name(error), exception_message(error).rstrip("\n"), exception_traceback(error)
        )
    return ValidatorAnswer(results)


def refusal(answer: ValidatorAnswer) -> str | None:
    """Why a validator refused, in a sentence; None when it did not."""
    if answer.exception_type is not None:
        return f"the validator raised {answer.exception_type}: {answer.exception_message}"
    reasons = [result or "no reason given" for result in answer.results if result is not True]
    return "; ".join(map(str, reasons)) or None


def _result(value: Any) -> bool | str:
    return well_formed(shorten(value, 1000)) if isinstance(value, str) else value is True
