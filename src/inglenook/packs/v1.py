"""Node classes in ComfyUI's first style (`INPUT_TYPES`, `RETURN_TYPES`, `FUNCTION`) as classes that the engine runs.

Facts about the style: INPUT_TYPES is asked often, since its lists of files change; declared types may be objects that
say of themselves that they differ from nothing (`str` subclasses with `__ne__`); a dict of inputs may claim to contain
every name; a tuple of outputs may answer to every index. All of this becomes plain data here (see `engine.schema`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from inglenook.engine.implementation import NodeImplementation
from inglenook.engine.schema import NodeSchema
from inglenook.engine.values import plain
from inglenook.errors import NodeError

_NO_NAME = "\0no input has this name"
_FLAGS = (
    ("DEPRECATED", "deprecated"),
    ("EXPERIMENTAL", "experimental"),
    ("API_NODE", "api_node"),
    ("DEV_ONLY", "dev_only"),
)
_SECTIONS = ("required", "optional", "hidden")


class BadNodeClass(NodeError):
    """A class that lacks what makes it a node class, or whose declarations cannot be read."""


class V1Instance:
    """An object of a node class, kept per node id; `run` is its FUNCTION."""

    __slots__ = ("node", "run")

    def __init__(self, node_class: type) -> None:
        self.node: Any = node_class()
        self.run: Callable[..., Any] = getattr(self.node, node_class.FUNCTION)  # type: ignore[attr-defined]


def v1_implementation(
    node_class: type, class_type: str, display_name: str | None = None, python_module: str = "custom_nodes"
) -> NodeImplementation:
    """The class as the engine runs it. Raises BadNodeClass, or what the class's own code raises."""
    document = v1_document(node_class, class_type, display_name, python_module)
    function = _function_of(node_class, class_type)
    has_lazy_check = hasattr(node_class, "check_lazy_status")
    return NodeImplementation(
        schema=NodeSchema.from_info(class_type, document),
        create=lambda: V1Instance(node_class),
        fingerprint=getattr(node_class, "IS_CHANGED", None),
        validate=getattr(node_class, "VALIDATE_INPUTS", None),
        is_async=inspect.iscoroutinefunction(function),
        check_lazy=_check_lazy if has_lazy_check else None,
        document=document,
        renew=lambda: v1_implementation(node_class, class_type, display_name, python_module),
    )


def _check_lazy(instance: Any, inputs: Mapping[str, Any]) -> Any:
    return instance.node.check_lazy_status(**inputs)


def _function_of(node_class: type, class_type: str) -> Any:
    name = getattr(node_class, "FUNCTION", None)
    if not isinstance(name, str):
        raise BadNodeClass(f"{class_type} has no FUNCTION that names its method")
    function = getattr(node_class, name, None)
    if not callable(function):
        raise BadNodeClass(f"{class_type} has no method {name!r}, which its FUNCTION names")
    return function


def v1_document(node_class: Any, class_type: str, display_name: str | None, python_module: str) -> dict[str, Any]:
    """The class's interface document as it is now (see `engine.schema`).

    Raises BadNodeClass, or what INPUT_TYPES raises.
    """
    if not hasattr(node_class, "INPUT_TYPES"):
        kind = node_class.__name__ if isinstance(node_class, type) else type(node_class).__name__
        raise BadNodeClass(f"{class_type} is mapped to {kind}, which has no INPUT_TYPES")
    declared = node_class.INPUT_TYPES()
    if not isinstance(declared, Mapping):
        raise BadNodeClass(f"INPUT_TYPES of {class_type} returns {type(declared).__name__}, not a dict")
    outputs = node_class.RETURN_TYPES if hasattr(node_class, "RETURN_TYPES") else ()
    if isinstance(outputs, str):  # ("IMAGE") without a comma
        outputs = (outputs,)
    inputs = {name: _section(name, declared[name]) for name in _SECTIONS if declared.get(name) is not None}
    types = [_type(kind) for kind in outputs]
    names = [str(name) for name in getattr(node_class, "RETURN_NAMES", None) or ()]
    document: dict[str, Any] = {
        "input": inputs,
        "input_order": {section: list(specs) for section, specs in inputs.items()},
        "is_input_list": bool(getattr(node_class, "INPUT_IS_LIST", False)),
        "output": types,
        "output_is_list": _padded(getattr(node_class, "OUTPUT_IS_LIST", None), len(types)),
        "output_name": names + [_label(kind) for kind in types[len(names) :]],
        "name": class_type,
        "display_name": class_type if display_name is None else str(display_name),
        "description": str(getattr(node_class, "DESCRIPTION", "") or ""),
        "python_module": python_module,
        "category": str(getattr(node_class, "CATEGORY", "sd")),
        "output_node": bool(getattr(node_class, "OUTPUT_NODE", False)),
        "has_intermediate_output": bool(getattr(node_class, "HAS_INTERMEDIATE_OUTPUT", False)),
    }
    document |= {key: True for attribute, key in _FLAGS if getattr(node_class, attribute, False)}
    for attribute, key in (
        ("OUTPUT_TOOLTIPS", "output_tooltips"),
        ("SEARCH_ALIASES", "search_aliases"),
        ("ESSENTIALS_CATEGORY", "essentials_category"),
    ):
        if hasattr(node_class, attribute):
            document[key] = getattr(node_class, attribute)
    document["engine"] = _engine_facts(node_class, declared, outputs)
    readable: dict[str, Any] = plain(document)
    return readable


def _engine_facts(node_class: Any, declared: Mapping[str, Any], outputs: Any) -> dict[str, Any]:
    """The document's key `engine`: what the class's code says (see `engine.schema`)."""
    return {
        "not_idempotent": bool(getattr(node_class, "NOT_IDEMPOTENT", False)),
        "takes_any_input": any(
            isinstance(section := declared.get(name), Mapping) and _NO_NAME in section for name in _SECTIONS[:2]
        ),
        "takes_any_link": _takes_any_keyword(getattr(node_class, str(getattr(node_class, "FUNCTION", "")), None)),
        "wild_inputs": [
            name
            for section in _SECTIONS[:2]
            for name, spec in (declared.get(section) or {}).items()
            if _is_wild(spec[0] if isinstance(spec, (tuple, list)) and len(spec) else spec)
        ],
        "wild_outputs": [index for index, kind in enumerate(outputs) if _is_wild(kind)],
        "has_any_output": _answers_every_index(outputs),
        **validator_facts(getattr(node_class, "VALIDATE_INPUTS", None)),
    }


def _takes_any_keyword(function: Any) -> bool:
    """Whether a method has `**kwargs`: linked inputs that only the editor's part of the pack knows then reach it."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def validator_facts(validate: Callable[..., Any] | None) -> dict[str, Any]:
    """What `engine.schema` wants to know of a validator: the inputs that it names, whether it takes all, or types."""
    if validate is None:
        return {}
    parameters = inspect.signature(validate).parameters
    kinds = {parameter.kind for parameter in parameters.values()}
    named = [
        name
        for name, parameter in parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    return {
        "has_validator": True,
        "validates_all": inspect.Parameter.VAR_KEYWORD in kinds,
        "checks_types": "input_types" in named,
        "validated_inputs": [name for name in named if name != "input_types"],
    }


def _section(name: str, specs: Any) -> dict[str, Any]:
    if not isinstance(specs, Mapping):
        raise BadNodeClass(f"INPUT_TYPES declares {name} inputs as {type(specs).__name__}, not as a dict")
    if name == "hidden":
        return {str(key): spec for key, spec in specs.items()}
    return {str(key): _spec(str(key), spec) for key, spec in specs.items()}


def _spec(name: str, spec: Any) -> list[Any]:
    if not isinstance(spec, (tuple, list)):  # ("IMAGE") without a comma
        return [_type(spec)]
    if not spec:
        raise BadNodeClass(f"input {name} is declared without a type")
    options = spec[1] if len(spec) > 1 and isinstance(spec[1], Mapping) else None
    return [_type(spec[0])] if options is None else [_type(spec[0]), options]


def _type(kind: Any) -> Any:
    """A declared type: its name, or the choices of a combo."""
    if isinstance(kind, Mapping):
        raise BadNodeClass(f"a type is declared as a dict: {list(kind)[:5]}")
    if not isinstance(kind, str) and hasattr(kind, "__iter__"):
        return list(kind)
    return plain(kind)


def _label(kind: Any) -> Any:
    return kind if isinstance(kind, str) else "COMBO"


def _padded(flags: Any, count: int) -> list[bool]:
    given = [bool(flag) for flag in flags or ()]
    return (given + [False] * count)[:count]


def _is_wild(kind: Any) -> bool:
    """Whether a declared type says that it differs from nothing."""
    return isinstance(kind, str) and type(kind) is not str and not kind != _NO_NAME  # noqa: SIM202 - `!=` is the question


def _answers_every_index(outputs: Any) -> bool:
    if type(outputs) in (tuple, list):
        return False
    try:
        outputs[len(outputs) + 100]
    except (IndexError, TypeError, KeyError):
        return False
    return True
