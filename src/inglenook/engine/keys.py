"""Cache keys: what a node's result depends on, as a digest.

A key covers the class, the change-detection value, the node id where it matters, and every input: constants by value,
links as (key of the source, slot). Ids take no part otherwise, so equal subgraphs share results; and a digest has one
size, so that a chain of 10,000 nodes costs linear time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from inglenook.engine.graph import Link, Node

Key = bytes | None
"""None: the node's result is never taken from a cache, nor are those of its descendants."""

_encode = msgspec.msgpack.Encoder(order="sorted").encode


class Never:
    """A change-detection value that equals none, itself included: the node always runs."""


NEVER = Never()


def changed_value(value: Any) -> Any:
    """A result of change detection as part of a key: NEVER for NaN, alone or in a list."""
    items = value if isinstance(value, (list, tuple)) else (value,)
    return NEVER if any(isinstance(item, float) and item != item for item in items) else value


def node_key(node: Node, node_id: str | None, changed: Any, keys: Mapping[str, Key]) -> Key:
    """The key of one node, given those of its sources.

    node_id: the id if it takes part in the key. changed: the value of change detection, None without one.
    None when a source has none, or when a constant is no plain value (it equals nothing, then).
    """
    if changed is NEVER:
        return None
    parts: list[Any] = [node.class_type, node_id, changed]
    inputs = node.inputs
    for name in sorted(inputs):
        value = inputs[name]
        if type(value) is Link:
            source = keys.get(value.node_id)
            if source is None:
                return None
            parts.append((name, source, value.slot))
        else:
            parts.append((name, value))
    try:
        return hashlib.blake2b(_encode(parts), digest_size=16).digest()
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None


def add_keys(nodes: Mapping[str, Node], key_of: Callable[[Node], Key], keys: dict[str, Key]) -> None:
    """Compute the keys of all `nodes` into `keys`, sources before consumers; nodes on a cycle get None.

    key_of: computes one key, when those of the node's sources are in `keys`.
    """
    entered: set[str] = set()
    for start in nodes:
        if start in keys:
            continue
        path = [start]
        while path:
            node_id = path[-1]
            if node_id in keys:
                path.pop()
                continue
            node = nodes.get(node_id)
            if node is None:
                keys[node_id] = None
                continue
            missing = [
                value.node_id for value in node.inputs.values() if type(value) is Link and value.node_id not in keys
            ]
            if not missing:
                keys[node_id] = key_of(node)
            elif node_id in entered:  # all sources were entered before and one is unfinished: a cycle
                keys[node_id] = None
            else:
                entered.add(node_id)
                path += missing
