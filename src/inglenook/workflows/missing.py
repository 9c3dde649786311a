"""Classes that no worker knows, told all at once and with what they may have been meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from inglenook.engine.values import shorten

_MOST_NODES = 20
"""Nodes of one class that are told."""
_MOST_CLASSES = 100
_MOST_COMPARED = 20
"""Classes that near matches are looked for; each takes milliseconds among a thousand classes."""
_LONGEST_COMPARED = 100


@dataclass(frozen=True, slots=True)
class MissingClass:
    """A class that a workflow needs and the catalog lacks."""

    class_type: str
    nodes: tuple[tuple[str, str | None], ...]
    """(id, title) of nodes that use it."""
    near_matches: tuple[str, ...]
    """Known classes with a similar name, most similar first."""

    def to_json(self) -> dict[str, Any]:
        return {
            "class_type": shorten(self.class_type, 100),
            "nodes": [
                {"id": shorten(node_id, 100), "title": None if title is None else shorten(title, 100)}
                for node_id, title in self.nodes
            ],
            "near_matches": list(self.near_matches),
        }


def find_missing(nodes: Iterable[tuple[str, str, str | None]], known: Iterable[str]) -> tuple[MissingClass, ...]:
    """Report classes of nodes, given as (class, id, title), that are not among `known`; 100 classes at most."""
    classes = set(known)
    found: dict[str, list[tuple[str, str | None]]] = {}
    for class_type, node_id, title in nodes:
        if class_type in classes or (class_type not in found and len(found) >= _MOST_CLASSES):
            continue
        users = found.setdefault(class_type, [])
        if len(users) < _MOST_NODES:
            users.append((node_id, title))
    if not found:
        return ()
    folded = {name.lower(): name for name in classes}
    return tuple(
        MissingClass(class_type, tuple(users), _near(class_type, folded) if index < _MOST_COMPARED else ())
        for index, (class_type, users) in enumerate(found.items())
    )


def _near(class_type: str, folded: dict[str, str]) -> tuple[str, ...]:
    if len(class_type) > _LONGEST_COMPARED:
        return ()
    names = difflib.get_close_matches(class_type.lower(), folded, n=3, cutoff=0.6)
    return tuple(folded[name] for name in names)
