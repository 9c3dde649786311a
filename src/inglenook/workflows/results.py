"""What a workflow makes: the kind of result of each of its output nodes, told from classes and types alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from inglenook.engine.catalog import Catalog
from inglenook.engine.schema import NodeSchema

ResultKind = Literal["image", "video", "audio", "text", "latent", "3d", "other"]

_BY_TYPE: tuple[tuple[str, ResultKind], ...] = (
    ("VIDEO", "video"),
    ("IMAGE", "image"),
    ("MASK", "image"),
    ("AUDIO", "audio"),
    ("LATENT", "latent"),
    ("MESH", "3d"),
)
"""A class that takes several kinds makes the first of these (a video from pictures and sound: see `_VIDEO_NAMES`)."""
_VIDEO_NAMES = ("video", "webm", "mp4")
_TEXT_TYPES = frozenset({"STRING", "INT", "FLOAT", "BOOLEAN", "*"})


@dataclass(frozen=True, slots=True)
class Result:
    """What one output node makes."""

    node_id: str
    class_type: str
    title: str
    kind: ResultKind
    is_preview: bool
    """It saves nothing that stays."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find_results(graph: Mapping[str, Any], catalog: Catalog) -> list[Result]:
    """The results of an API-format graph, in its order; nodes of unknown classes make none that could be told."""
    found = []
    for node_id, node in graph.items():
        class_type = node.get("class_type") if isinstance(node, Mapping) else None
        schema = catalog.get(class_type) if isinstance(class_type, str) else None
        if schema is not None and schema.is_output:
            kind, is_preview = _kind(schema, _links(node)), _is_preview(schema)
            found.append(Result(str(node_id), schema.class_type, _title(node, schema), kind, is_preview))
    return found


def _links(node: Mapping[str, Any]) -> frozenset[str]:
    inputs = node.get("inputs")
    if not isinstance(inputs, Mapping):
        return frozenset()
    return frozenset(name for name, value in inputs.items() if isinstance(value, list))


def _kind(schema: NodeSchema, linked: frozenset[str]) -> ResultKind:
    taken = {spec.type for spec in schema.inputs.values() if isinstance(spec.type, str)}
    name = schema.class_type.lower()
    if "IMAGE" in taken and any(word in name for word in _VIDEO_NAMES):
        return "video"
    for declared, kind in _BY_TYPE:
        if declared in taken:
            return kind
    shown = {spec.type for name, spec in schema.inputs.items() if name in linked and isinstance(spec.type, str)}
    return "text" if shown and shown <= _TEXT_TYPES else "other"


def _is_preview(schema: NodeSchema) -> bool:
    return "filename_prefix" not in schema.inputs and "preview" in schema.class_type.lower()


def _title(node: Mapping[str, Any], schema: NodeSchema) -> str:
    meta = node.get("_meta")
    title = meta.get("title") if isinstance(meta, Mapping) else None
    if isinstance(title, str) and title:
        return title
    shown = schema.info.get("display_name")
    return shown if isinstance(shown, str) and shown else schema.class_type
