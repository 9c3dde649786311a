"""Nodes and titles by which other programs mark the inputs of a workflow, and the names that they give.

comfy-pack     nodes `CPackInput*`; the title is the name
ComfyDeploy    nodes `ComfyUIDeployExternal*`; `input_id` is the name
SwarmUI        nodes `SwarmInput*`, `title` is the name; titles `SwarmUI: Name`
ViewComfy      titles `Input: Name`, also `API:`, `Param:`, `参数:`, `输入:`
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inglenook.workflows.parameter_names import slug
from inglenook.workflows.parameter_nodes import GraphNode

_TITLE = re.compile(r"(?:swarmui|viewcomfy|api|inputs?|param(?:eter)?s?|参数|输入|变量)\s*[:：]\s*(\S.*)", re.I | re.S)
_LONGEST_NAME = 100
_VALUES = ("value", "default_value", "text", "image", "file", "path", "filename", "video", "audio", "input")
_MEDIA = re.compile(r"(image|mask|video|audio|file)", re.I)
_DEPLOY, _PACK, _SWARM = "ComfyUIDeployExternal", "CPackInput", "SwarmInput"
_DESCRIBING = frozenset(
    (
        *("input_id", "display_name", "description", "title", "order_priority", "is_advanced", "raw_id"),
        *("change_metadata_mode", "view_type", "min", "max", "min_value", "max_value", "view_max", "step", "values"),
    )
)


@dataclass(frozen=True, slots=True)
class Marker:
    """What a marked node says of its value."""

    name: str
    input_name: str
    """The input that holds the value."""
    describing: frozenset[str] = frozenset()
    """Inputs that only describe it."""
    media: str | None = None
    is_empty: bool = False
    """The input holds no value yet."""
    description: str = ""
    minimum: float | None = None
    maximum: float | None = None


def marker_of(node: GraphNode) -> Marker | None:
    """The marker that a node is or carries in its title, or None."""
    kind = node.class_type
    if kind.startswith(_DEPLOY):
        return _deploy(node)
    if kind.startswith(_SWARM):
        return _marked(node, node.constant("title"), _DESCRIBING)
    if kind.startswith(_PACK):
        return _marked(node, node.title if node.has_own_title else None, frozenset())
    match = _TITLE.fullmatch(node.title) if node.has_own_title else None
    if match is None:
        return None
    widgets = [spec.name for spec in node.widgets()]
    name = next((one for one in _VALUES if one in widgets), widgets[0] if widgets else None)
    return None if name is None else Marker(_readable(match[1]), name)


def _deploy(node: GraphNode) -> Marker | None:
    """Its runner writes the names of files into `input_id` itself, and other values into the default."""
    name = node.constant("input_id")
    if not _is_name(name):
        return None
    media = _MEDIA.search(node.class_type)
    if media is not None:
        found = media[1].lower()
        return _with_facts(node, Marker(str(name), "input_id", _DESCRIBING - {"input_id"}, found, is_empty=True))
    return _marked(node, name, _DESCRIBING, is_id=True)


def _marked(node: GraphNode, name: Any, describing: frozenset[str], *, is_id: bool = False) -> Marker | None:
    values = [spec.name for spec in node.widgets() if spec.name not in describing]
    input_name = next((one for one in _VALUES if one in values), values[0] if values else None)
    if input_name is None:
        return None
    media = _MEDIA.search(node.class_type)
    given = "" if not _is_name(name) else str(name).strip() if is_id else _readable(name)
    return _with_facts(node, Marker(given, input_name, describing, media[1].lower() if media else None))


def _with_facts(node: GraphNode, marker: Marker) -> Marker:
    text = node.constant("description")
    bounds = [_number(node.inputs, names) for names in (("min_value", "min"), ("max_value", "max"))]
    if not marker.describing or (bounds[0] is not None and bounds[1] is not None and bounds[0] >= bounds[1]):
        bounds = [None, None]
    return Marker(
        name=marker.name[:_LONGEST_NAME],
        input_name=marker.input_name,
        describing=marker.describing - {marker.input_name},
        media=marker.media,
        is_empty=marker.is_empty,
        description=text if isinstance(text, str) and marker.describing else "",
        minimum=bounds[0],
        maximum=bounds[1],
    )


def _number(inputs: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    return next((inputs[name] for name in names if type(inputs.get(name)) in (int, float)), None)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _readable(text: str) -> str:
    """A name of a title: words in ASCII, or what else the title is made of, joined by `_`."""
    return slug(text) if text.isascii() else re.sub(r"[^\w\-]+", "_", text).strip("_")[:_LONGEST_NAME]
