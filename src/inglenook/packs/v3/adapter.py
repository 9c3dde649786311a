"""A V3 node class as the engine runs it: its interface document, and its methods behind `NodeImplementation`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from inglenook.engine.dynamic import nested
from inglenook.engine.implementation import NodeImplementation, NodeInstance
from inglenook.engine.schema import NodeSchema
from inglenook.engine.values import plain
from inglenook.packs.v1 import validator_facts
from inglenook.packs.v3.node import ComfyNode, is_async, overrides
from inglenook.packs.v3.output import engine_result
from inglenook.packs.v3.schema import Schema, SchemaError

_HIDDEN = "hidden:"
"""Hidden inputs reach `run` under names that no input has: a node may have an input called `prompt` as well."""
_TYPES = "input_types"


def is_v3(node_class: object) -> bool:
    """Whether a class is a node of the V3 API."""
    return isinstance(node_class, type) and issubclass(node_class, ComfyNode)


def v3_document(node_class: type, python_module: str) -> dict[str, Any]:
    """The interface document of a class, from a schema declared anew: its lists of files are those of now.

    python_module: such as `custom_nodes.acme`. Raises SchemaError; and whatever the class's own code raises.
    """
    checked = _checked(node_class)
    checked.RELATIVE_PYTHON_MODULE = python_module
    schema = checked.GET_SCHEMA()
    document: dict[str, Any] = plain(schema.info(python_module))
    document["engine"] = _engine_facts(checked, schema)
    return document


def v3_implementation(node_class: type, python_module: str) -> NodeImplementation:
    """A class as the engine runs it. Raises as `v3_document` does."""
    document = v3_document(node_class, python_module)
    schema = NodeSchema.from_info(document["name"], document)
    schema = replace(schema, hidden={f"{_HIDDEN}{name}": kind for name, kind in schema.hidden.items()})
    calls = _Calls(_checked(node_class), schema)
    return NodeImplementation(
        schema=schema,
        create=lambda: calls,
        fingerprint=calls.fingerprint if overrides(calls.node_class, "fingerprint_inputs") else None,
        validate=calls.validate if schema.has_validator else None,
        is_async=is_async(calls.node_class),
        check_lazy=_check_lazy if overrides(calls.node_class, "check_lazy_status") else None,
        document=document,
        renew=lambda: v3_implementation(node_class, python_module),
    )


def _checked(node_class: object) -> type[ComfyNode]:
    if not (isinstance(node_class, type) and issubclass(node_class, ComfyNode)):
        raise SchemaError(f"{node_class!r} is no class that inherits from io.ComfyNode")
    for method in ("define_schema", "execute"):
        if not overrides(node_class, method):
            raise SchemaError(f"node class {node_class.__qualname__} has no {method}")
    return node_class


def _engine_facts(node_class: type[ComfyNode], schema: Schema) -> dict[str, Any]:
    """The document's key `engine`: what the class's code says (see `engine.schema`)."""
    own_validator = node_class.validate_inputs if overrides(node_class, "validate_inputs") else None
    facts = {
        "not_idempotent": schema.not_idempotent,
        "takes_any_input": schema.accept_all_inputs,
        **validator_facts(own_validator),
    }
    return {name: fact for name, fact in facts.items() if fact}


def _check_lazy(instance: NodeInstance, inputs: Mapping[str, Any]) -> Any:
    assert isinstance(instance, _Calls)
    return instance.check_lazy(inputs)


@dataclass(frozen=True, slots=True)
class _Calls:
    """The methods of a class as the engine calls them; nothing is kept between calls."""

    node_class: type[ComfyNode]
    schema: NodeSchema

    def run(self, **inputs: Any) -> Any:
        prepared, arguments = self._prepare(inputs)
        value = prepared.execute(**arguments)
        return self._later(value) if inspect.isawaitable(value) else self._result(value)

    async def _later(self, value: Awaitable[Any]) -> Any:
        return self._result(await value)

    def _result(self, value: Any) -> Any:
        schema, declared = self.schema, self.node_class.SCHEMA
        may_expand = declared is not None and declared.enable_expand
        return engine_result(value, schema.class_type, len(schema.outputs), may_expand=may_expand)

    def fingerprint(self, **inputs: Any) -> Any:
        prepared, arguments = self._prepare(inputs)
        return prepared.fingerprint_inputs(**arguments)

    def check_lazy(self, inputs: Mapping[str, Any]) -> Any:
        prepared, arguments = self._prepare(inputs)
        return prepared.check_lazy_status(**arguments)

    def validate(self, **inputs: Any) -> Any:
        """Dynamic inputs are put together from the parts that were asked for."""
        types = {_TYPES: inputs.pop(_TYPES)} if _TYPES in inputs else {}
        schema = self.schema
        for name in schema.hidden:  # a class of this style asks `cls.hidden`
            inputs.pop(name, None)
            if name.removeprefix(_HIDDEN) not in schema.inputs:
                inputs.pop(name.removeprefix(_HIDDEN), None)
        if schema.has_dynamic_inputs:
            inputs = nested(schema.inputs, inputs, inputs)
            if not schema.validates_all:
                inputs = {name: value for name, value in inputs.items() if name in schema.validated_inputs}
        return self.node_class.prepare({}).validate_inputs(**inputs, **types)

    def _prepare(self, inputs: Mapping[str, Any]) -> tuple[type[ComfyNode], dict[str, Any]]:
        """The class for one call, and the inputs without the hidden ones, which the class has."""
        hidden = {
            name[len(_HIDDEN) :]: value[0] if self.schema.is_input_list else value
            for name, value in inputs.items()
            if name.startswith(_HIDDEN)
        }
        arguments = {name: value for name, value in inputs.items() if not name.startswith(_HIDDEN)}
        return self.node_class.prepare(hidden), arguments
