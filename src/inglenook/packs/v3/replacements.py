"""Classes that packs announce as replaced by others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from inglenook.engine.replacement import NodeReplacement
from inglenook.engine.values import plain
from inglenook.errors import NodeError


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
    """Announce a replacement; the first one of an old class whose new class exists is used.

    Raises NodeError for one that cannot be read.
    """
    try:
        found = msgspec.convert(plain(vars(replacement)), NodeReplacement)
        complete = all("new_id" in mapping for mapping in found.input_mapping or ()) and all(
            mapping.keys() >= {"old_idx", "new_idx"} for mapping in found.output_mapping or ()
        )
    except (TypeError, msgspec.ValidationError) as error:
        raise NodeError(f"a replacement of a node class cannot be read: {error}") from error
    if not complete:
        raise NodeError("a replacement of a node class maps inputs to new_id, outputs from old_idx to new_idx")
    if found not in _registered.setdefault(found.old_node_id, []):
        _registered[found.old_node_id].append(found)


def registered() -> Mapping[str, Sequence[NodeReplacement]]:
    """What was announced in this process, by old class, in order."""
    return {old: tuple(found) for old, found in _registered.items()}


def forget() -> None:
    """Take back all announcements, for tests and before packs are imported anew."""
    _registered.clear()
