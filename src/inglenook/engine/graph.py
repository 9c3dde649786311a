"""A workflow graph: nodes with constants and links, parsed once from ComfyUI's API format and trusted after.

    {"4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15.safetensors"}},
     "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["4", 1]}, "_meta": {"title": "Prompt"}}}

Parsing is structural: what the inputs must be is up to `validation`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from inglenook.engine.values import shorten
from inglenook.errors import WorkflowError

MAX_NODES = 20_000
MAX_DEPTH = 100
"""How deep objects and lists of one constant may nest."""


class GraphError(WorkflowError):
    """A document that is no graph, in the words of ComfyUI's 400 answer: `type`, `message`, `details`, `extra_info`."""

    def __init__(self, type: str, message: str, details: str, extra_info: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{message} ({details})" if details else message)
        self.type = type
        self.message = message
        self.details = details
        self.extra_info = dict(extra_info or {})

    def body(self) -> dict[str, Any]:
        """The `error` object of the answer."""
        return {"type": self.type, "message": self.message, "details": self.details, "extra_info": self.extra_info}


class GraphShapeError(GraphError):
    """The document, a node or its inputs are not the JSON objects that they should be."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__("invalid_prompt", message, details)


class TooManyNodes(GraphError):
    """More nodes than this server takes."""

    def __init__(self, count: int, limit: int) -> None:
        message = f"Prompt has {count} nodes, at most {limit} are accepted"
        super().__init__("too_many_nodes", message, f"{count} > {limit}")


class NodeTypeMissing(GraphError):
    """A node without a `class_type`."""

    def __init__(self, node_id: str, title: str | None, given: Any) -> None:
        name = shorten(title, 100) if title else f"ID #{shorten(node_id, 100)}"
        super().__init__(
            "missing_node_type",
            f"Node '{name}' has no class_type. The workflow may be damaged, or not in API format.",
            f"Node ID '#{shorten(node_id, 100)}'",
            {
                "node_id": node_id,
                "class_type": None if given is None else shorten(given, 100),
                "node_title": None if title is None else shorten(title, 100),
            },
        )


class Link(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where an input takes its value from: output `slot` of node `node_id`, which exists in the graph."""

    node_id: str
    slot: int


class ListConstant(list[Any]):
    """A list that is a value, written `{"__value__": [...]}`, not an attempt at a link."""

    __slots__ = ()


class Node(msgspec.Struct, frozen=True):
    """One node of a graph."""

    id: str
    class_type: str
    inputs: dict[str, Any]
    """Input name -> Link, ListConstant, or any other JSON value."""
    title: str | None = None
    extra: dict[str, Any] | None = None
    """Keys of the node's document that mean nothing to the engine (`_meta` among them)."""
    has_inputs: bool = True
    """False when the document lacks the key `inputs`."""

    def links(self) -> list[Link]:
        """The links among the inputs, in input order."""
        return [value for value in self.inputs.values() if type(value) is Link]

    def to_json(self) -> dict[str, Any]:
        """The node's document."""
        document: dict[str, Any] = {}
        if self.has_inputs:
            document["inputs"] = {name: _to_json(value) for name, value in self.inputs.items()}
        document["class_type"] = self.class_type
        if self.extra:
            document.update(self.extra)
        return document


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes by id, in the order of the document. Never changed after it was made."""

    nodes: Mapping[str, Node]

    @classmethod
    def parse(cls, document: Any, *, max_nodes: int = MAX_NODES) -> Graph:
        """Read an API-format graph.

        Node ids in links may be numbers. A two-element array is a link when the node exists; any other array stays what
        it is, and `validation` says what is wrong with it where an input wants a link.
        Raises GraphError when the document is not of the right shape.
        """
        if not isinstance(document, Mapping):
            raise GraphShapeError("Prompt must be a JSON object of nodes", f"got {shorten(document, 60)}")
        if len(document) > max_nodes:
            raise TooManyNodes(len(document), max_nodes)
        return cls({node_id: _parse_node(node_id, body, document) for node_id, body in document.items()})

    def to_json(self) -> dict[str, Any]:
        """The API-format document; parsing it gives an equal graph."""
        return {node_id: node.to_json() for node_id, node in self.nodes.items()}

    def fingerprint(self) -> str:
        """A digest of what the graph does: equal for equal ids, classes and inputs, whatever their order and titles."""
        content = {
            node.id: [node.class_type, {name: _to_json(value) for name, value in node.inputs.items()}]
            for node in self.nodes.values()
        }
        return hashlib.blake2b(_canonical(content), digest_size=16).hexdigest()


def _parse_node(node_id: Any, body: Any, document: Mapping[str, Any]) -> Node:
    if type(node_id) is not str:
        raise GraphShapeError("Node ids must be strings", f"got {shorten(node_id, 60)}")
    if not isinstance(body, Mapping):
        shape = f"got {shorten(body, 60)}"
        raise GraphShapeError(f"Node '#{shorten(node_id, 60)}' must be a JSON object with class_type and inputs", shape)
    extra = {key: value for key, value in body.items() if key not in ("class_type", "inputs")}
    title = _title(extra)
    class_type = body.get("class_type")
    if type(class_type) is not str:
        raise NodeTypeMissing(node_id, title, class_type)
    given = body.get("inputs", _ABSENT)
    if given is _ABSENT:
        return Node(node_id, class_type, {}, title, extra, has_inputs=False)
    if not isinstance(given, Mapping):
        shape = f"got {shorten(given, 60)}"
        raise GraphShapeError(f"Inputs of node '#{shorten(node_id, 60)}' must be a JSON object", shape)
    inputs = {}
    for name, value in given.items():
        if isinstance(value, (list, dict)):
            value = _parse_list(value, document) if isinstance(value, list) else _parse_object(value)
            if type(value) is not Link and _deeper_than(value, MAX_DEPTH):
                where = f"input {shorten(name, 60)} of node '#{shorten(node_id, 60)}'"
                raise GraphShapeError("A value is nested too deeply", f"{where}: at most {MAX_DEPTH} levels")
        inputs[name] = value
    return Node(node_id, class_type, inputs, title, extra or None)


_ABSENT = object()


def _title(extra: Mapping[str, Any]) -> str | None:
    meta = extra.get("_meta")
    title = meta.get("title") if isinstance(meta, Mapping) else None
    return title if isinstance(title, str) and title else None


def link_parts(value: list[Any]) -> tuple[str, int] | None:
    """Node id and slot when `value` has the form of a link (`["4", 0]`, also `[4, 0]`), else None."""
    if len(value) != 2:
        return None
    node_id, slot = value
    if type(node_id) is not str:
        number = _whole(node_id)
        if number is None:
            return None
        node_id = str(number)
    number = _whole(slot)
    return None if number is None else (node_id, number)


def _whole(value: Any) -> int | None:
    """An integer of at most 64 bits, also when it is written as 4.0."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and value.bit_length() < 64 else None


def _parse_list(value: list[Any], document: Mapping[str, Any]) -> Any:
    parts = link_parts(value)
    return Link(*parts) if parts is not None and parts[0] in document else value


def _parse_object(value: dict[str, Any]) -> Any:
    if len(value) == 1 and isinstance(value.get("__value__"), list):
        return ListConstant(value["__value__"])
    return value


def _to_json(value: Any) -> Any:
    if type(value) is Link:
        return [value.node_id, value.slot]
    if type(value) is ListConstant:
        return {"__value__": list(value)}
    return value


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            item
            for container in level
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, (list, dict))
        ]
        if not level:
            return False
    return True


_encoder = msgspec.msgpack.Encoder(order="sorted")


def _canonical(content: Any) -> bytes:
    try:
        return _encoder.encode(content)
    except (TypeError, ValueError, OverflowError):  # integers over 64 bits, lone surrogates
        return json.dumps(content, sort_keys=True).encode()
