"""A text alone as a prompt: it becomes the positive prompt of a given workflow, which runs with fresh seeds."""

from __future__ import annotations

from random import Random

from inglenook.engine.catalog import Catalog
from inglenook.engine.graph import Graph, Link, Node
from inglenook.engine.schema import InputSpec
from inglenook.workflows.errors import WorkflowFormatError
from inglenook.workflows.repair import Repaired, draw, is_seed
from inglenook.workflows.repairs import Repair

_TEXT_NAMES = frozenset({"text", "prompt", "positive_prompt", "value", "string", "text_g", "text_l", "clip_l", "t5xxl"})
_NEXT_NAMES = ("positive", "conditioning", "conditioning_to")
"""Inputs that lead on towards the prompt where a node has several."""


def fill_prompt(graph: Graph, text: str, catalog: Catalog, random: Random) -> Repaired:
    """Put `text` where the positive prompt of `graph` stands, and draw its seeds.

    Found from a sampler's input `positive` (or a guider's `conditioning`) towards the node that has a text.
    Raises WorkflowFormatError when there is none.
    """
    place = _find(graph, catalog)
    if place is None:
        raise WorkflowFormatError("The default workflow has no sampler with a positive prompt")
    nodes = dict(graph.nodes)
    repairs: list[Repair] = []
    node, names = place
    for name in names:
        repairs.append(Repair(node.id, "prompt_filled", f"{name} is the prompt", node.inputs[name], text))
    nodes[node.id] = _changed(node, dict.fromkeys(names, text))
    for seeded in list(nodes.values()):
        seeds = {spec.name: draw(spec, random) for spec in _constants(seeded, catalog) if is_seed(spec)}
        for name, seed in seeds.items():
            text_ = f"{name} was drawn: {seed}"
            repairs.append(Repair(seeded.id, "seed_drawn", text_, seeded.inputs[name], seed))
        if seeds:
            nodes[seeded.id] = _changed(seeded, seeds)
    return Repaired(Graph(nodes), tuple(repairs))


def _changed(node: Node, values: dict[str, str] | dict[str, int]) -> Node:
    return Node(node.id, node.class_type, {**node.inputs, **values}, node.title, node.extra)


def _constants(node: Node, catalog: Catalog) -> list[InputSpec]:
    schema = catalog.get(node.class_type)
    if schema is None:
        return []
    return [spec for name, spec in schema.inputs.items() if name in node.inputs and type(node.inputs[name]) is not Link]


def _find(graph: Graph, catalog: Catalog) -> tuple[Node, list[str]] | None:
    """The node with the prompt, and the names of its inputs that hold it."""
    for first in _NEXT_NAMES[:2]:
        for node in graph.nodes.values():
            if type(link := node.inputs.get(first)) is Link:
                found = _follow(graph, catalog, link)
                if found is not None:
                    return found
    return None


def _follow(graph: Graph, catalog: Catalog, link: Link) -> tuple[Node, list[str]] | None:
    waiting, seen = [link.node_id], {link.node_id}
    while waiting:
        node = graph.nodes[waiting.pop(0)]
        names = [spec.name for spec in _constants(node, catalog) if spec.type == "STRING" and _is_prompt(spec)]
        if names:
            return node, names
        preferred = [node.inputs.get(name) for name in _NEXT_NAMES]
        texts = [node.inputs.get(name) for name in sorted(_TEXT_NAMES)]
        links = [one for one in (*texts, *preferred) if type(one) is Link] or node.links()
        for one in links:
            if one.node_id not in seen:
                seen.add(one.node_id)
                waiting.append(one.node_id)
    return None


def _is_prompt(spec: InputSpec) -> bool:
    return spec.name in _TEXT_NAMES or bool(spec.options.get("dynamicPrompts")) or bool(spec.options.get("multiline"))
