"""The base class of nodes. A class is never instantiated: its methods are called on a copy made for the one call."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from inglenook.engine.blocker import ExecutionBlocker
from inglenook.packs.v3.hidden import HiddenHolder
from inglenook.packs.v3.output import NodeOutput
from inglenook.packs.v3.schema import Schema, SchemaError

Value = TypeVar("Value")


class _Derived(Generic[Value]):
    """A read-only attribute of a class that a function of the class gives."""

    def __init__(self, get: Callable[[Any], Value]) -> None:
        self._get = get
        self.__doc__ = get.__doc__

    def __get__(self, instance: object, owner: Any) -> Value:
        return self._get(owner)


class ComfyNode:
    """Base of node classes: `define_schema` and `execute` are theirs to write, the rest as needed."""

    SCHEMA: ClassVar[Schema | None] = None
    RELATIVE_PYTHON_MODULE: ClassVar[str | None] = None
    """The module as `/object_info` names it, such as `custom_nodes.acme`."""
    hidden: ClassVar[Any] = HiddenHolder()
    """Inside a call: what the engine gave, see `hidden.Hidden`."""

    @classmethod
    def define_schema(cls) -> Schema:
        """What the class takes and gives."""
        raise SchemaError(f"node class {cls.__qualname__} has no define_schema")

    @classmethod
    def execute(cls, **kwargs: Any) -> Any:
        """Run the node; may be `async`."""
        raise NotImplementedError(f"node class {cls.__qualname__} has no execute")

    @classmethod
    def validate_inputs(cls, **kwargs: Any) -> Any:
        """Return True, or why the constants given are wrong. Asked only where a class overrides it."""
        return True

    @classmethod
    def fingerprint_inputs(cls, **kwargs: Any) -> Any:
        """Return what must be equal for a cached result to be used again. Asked only where a class overrides it."""
        return None

    @classmethod
    def check_lazy_status(cls, **kwargs: Any) -> Any:
        """Return the names of lazy inputs that are still needed. Asked only where a class overrides it."""
        return [name for name, value in kwargs.items() if value is None]

    # The schema

    @classmethod
    def GET_SCHEMA(cls) -> Schema:
        """The schema, declared anew (lists of files are fresh), checked and complete. Raises SchemaError."""
        schema = cls.define_schema()
        if not isinstance(schema, Schema):
            raise SchemaError(f"node class {cls.__qualname__}: define_schema gave {schema!r}, no Schema")
        schema.validate()
        schema.finalize()
        cls.SCHEMA = schema
        return schema

    @classmethod
    def GET_NODE_INFO_V1(cls) -> dict[str, Any]:
        """The class's entry in `/object_info`."""
        return cls.GET_SCHEMA().info(cls.RELATIVE_PYTHON_MODULE or "nodes")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:
        """Inputs as a V1 class declares them."""
        return cls.GET_SCHEMA().input_types()

    # Calls from outside the engine

    @classmethod
    def prepare(cls, hidden: Mapping[str, Any]) -> type[ComfyNode]:
        """A copy of the class for one call: what the call sets on it does not stay."""
        names = {
            "__module__": cls.__module__,
            "__qualname__": cls.__qualname__,
            "SCHEMA": _known(cls),
            "hidden": HiddenHolder.from_dict(hidden),
        }
        return types.new_class(cls.__name__, (cls,), exec_body=lambda namespace: namespace.update(names))

    @classmethod
    def EXECUTE_NORMALIZED(cls, *args: Any, **kwargs: Any) -> NodeOutput:
        """Run the node outside a graph; the result as a NodeOutput."""
        return _as_output(cls.prepare({}).execute(*args, **kwargs))

    @classmethod
    async def EXECUTE_NORMALIZED_ASYNC(cls, *args: Any, **kwargs: Any) -> NodeOutput:
        """The same for a class whose `execute` is asynchronous."""
        return _as_output(await cls.prepare({}).execute(*args, **kwargs))

    # Attributes of a V1 class, for code that looks at node classes

    FUNCTION = _Derived(lambda cls: "EXECUTE_NORMALIZED_ASYNC" if is_async(cls) else "EXECUTE_NORMALIZED")
    RETURN_TYPES = _Derived(lambda cls: tuple(output.get_io_type() for output in _known(cls).outputs))
    RETURN_NAMES = _Derived(lambda cls: tuple(_known(cls).output_names()))
    OUTPUT_IS_LIST = _Derived(lambda cls: tuple(output.is_output_list for output in _known(cls).outputs))
    OUTPUT_TOOLTIPS = _Derived(lambda cls: tuple(output.tooltip for output in _known(cls).outputs))
    OUTPUT_NODE = _Derived(lambda cls: _known(cls).is_output_node)
    INPUT_IS_LIST = _Derived(lambda cls: _known(cls).is_input_list)
    CATEGORY = _Derived(lambda cls: _known(cls).category)
    DESCRIPTION = _Derived(lambda cls: _known(cls).description)
    DEPRECATED = _Derived(lambda cls: _known(cls).is_deprecated)
    EXPERIMENTAL = _Derived(lambda cls: _known(cls).is_experimental)
    DEV_ONLY = _Derived(lambda cls: _known(cls).is_dev_only)
    API_NODE = _Derived(lambda cls: _known(cls).is_api_node)
    NOT_IDEMPOTENT = _Derived(lambda cls: _known(cls).not_idempotent)
    ACCEPT_ALL_INPUTS = _Derived(lambda cls: _known(cls).accept_all_inputs)
    SEARCH_ALIASES = _Derived(lambda cls: list(_known(cls).search_aliases))
    ESSENTIALS_CATEGORY = _Derived(lambda cls: _known(cls).essentials_category)
    HAS_INTERMEDIATE_OUTPUT = _Derived(lambda cls: _known(cls).has_intermediate_output)
    IS_CHANGED = _Derived(lambda cls: _own(cls, "IS_CHANGED", "fingerprint_inputs"))
    VALIDATE_INPUTS = _Derived(lambda cls: _own(cls, "VALIDATE_INPUTS", "validate_inputs"))


def overrides(node_class: type[ComfyNode], name: str) -> bool:
    """Whether the class, or one between it and ComfyNode, has a method `name` of its own."""
    return inspect.getattr_static(node_class, name) is not inspect.getattr_static(ComfyNode, name)


def is_async(node_class: type[ComfyNode]) -> bool:
    """Whether the class's `execute` is asynchronous."""
    return inspect.iscoroutinefunction(node_class.execute)


def _known(cls: type[ComfyNode]) -> Schema:
    """The schema of this very class, declared if it was not before."""
    schema = vars(cls).get("SCHEMA")
    return schema if isinstance(schema, Schema) else cls.GET_SCHEMA()


def _own(cls: type[ComfyNode], attribute: str, name: str) -> Any:
    if not overrides(cls, name):
        raise AttributeError(f"{cls.__qualname__} has no {attribute}")
    return getattr(cls, name)


def _as_output(value: Any) -> NodeOutput:
    if isinstance(value, NodeOutput):
        return value
    if isinstance(value, Mapping):
        return NodeOutput.from_dict(value)
    if isinstance(value, ExecutionBlocker):
        return NodeOutput(block_execution=value.message or "")
    return NodeOutput(*(value or ()))
