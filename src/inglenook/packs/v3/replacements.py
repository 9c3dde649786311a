"""Classes that packs announce as replaced by others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from inglenook.engine.replacement import NodeReplacement


@dataclass
class NodeReplace:
    """One way to replace a class (see `engine.replacement.NodeReplacement`)."""

    new_node_id: str
    old_node_id: str
    old_widget_ids: list[str] | None = None
    input_mapping: list[dict[str, Any]] | None = None
    output_mapping: list[dict[str, int]] | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


_registered: dict[str, list[NodeReplacement]] = {}


def register(replacement: NodeReplace) -> None:
    """Announce a replacement; the first one of an old class whose new class exists is used."""
    found = NodeReplacement(**vars(replacement))
    if found not in _registered.setdefault(found.old_node_id, []):
        _registered[found.old_node_id].append(found)


def registered() -> Mapping[str, Sequence[NodeReplacement]]:
    """What was announced in this process, by old class, in order."""
    return {old: tuple(found) for old, found in _registered.items()}


def forget() -> None:
    """Take back all announcements, for tests and before packs are imported anew."""
    _registered.clear()
