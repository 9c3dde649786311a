"""The parameters of a workflow: what a user would set, recognised, named, described, and set.

parameter_nodes      the nodes of a graph with what their classes declare
prompts              which texts are prompts
parameter_roles      what other inputs are for
parameter_markers    nodes and titles by which other programs mark inputs
parameter_names      readable names
parameter_addresses  from `6.text` or a name to an input
parameter_values     whether a value fits
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random, SystemRandom
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.schema import InputSpec
from inglenook.workflows.parameter import ADVANCED, GROUPS, Parameter, ParameterError, parameter_problem
from inglenook.workflows.parameter_addresses import Addresses, Place
from inglenook.workflows.parameter_markers import Marker, marker_of
from inglenook.workflows.parameter_names import Unnamed, name_all
from inglenook.workflows.parameter_nodes import GraphNode, depths, read_nodes, widget_kind
from inglenook.workflows.parameter_roles import media_of, options_of, role_by_consumers, role_by_title, role_of
from inglenook.workflows.parameter_values import Unfit, check, draw_seed
from inglenook.workflows.prompts import find_prompts
from inglenook.workflows.repairs import Repair, seed_drawn

_TYPES = {"INT": "integer", "FLOAT": "number", "STRING": "string", "BOOLEAN": "boolean", "COMBO": "choice"}
_MAKES_PICTURES = frozenset({"LATENT", "VIDEO", "AUDIO"})
_MOST_PROBLEMS = 50
_RANDOM = SystemRandom()


@dataclass(frozen=True, slots=True)
class Applied:
    """A graph with values set."""

    graph: dict[str, Any]
    used: dict[str, Any]
    """Name of the parameter, or `id.input` of another input -> the value that it has now. Drawn seeds too."""
    repairs: tuple[Repair, ...] = ()
    """Seeds that the workflow itself wants drawn."""


@dataclass(frozen=True, slots=True)
class _Found:
    node: GraphNode
    spec: InputSpec
    role: str
    media: str | None = None
    marker: Marker | None = None


def recognise(graph: Mapping[str, Any], catalog: Catalog) -> list[Parameter]:
    """The parameters of an API-format graph: those with a role in the order of `GROUPS`, then the others.

    Linked inputs are none, nor is what must be linked.
    """
    nodes = read_nodes(graph, catalog)
    prompts = find_prompts(nodes)
    depth = depths(nodes)
    places = {place: index for index, place in enumerate(prompts)}
    order = {role: index for index, role in enumerate(GROUPS)}
    ranked = [(one, _rank(one, depth, places)) for one in _find(nodes, prompts)]
    ranked.sort(key=lambda pair: (order[pair[0].role], pair[1]))
    names = name_all([_unnamed(one, rank) for one, rank in ranked])
    return [_described(one, name, catalog) for (one, _), name in zip(ranked, names, strict=True)]


def _find(nodes: Mapping[str, GraphNode], prompts: Mapping[Place, str]) -> Iterator[_Found]:
    for node in nodes.values():
        marker = marker_of(node)
        for spec in node.widgets():
            is_marked = marker is not None and spec.name == marker.input_name
            if marker is not None and not is_marked and spec.name in marker.describing:
                continue
            media = media_of(node, spec) or (marker.media if is_marked and marker is not None else None)
            role = media or _role(node, spec, nodes, prompts)
            if role is None:
                role = "input" if is_marked else ADVANCED
            yield _Found(node, spec, role, media, marker if is_marked else None)


def _role(node: GraphNode, spec: InputSpec, nodes: Mapping[str, GraphNode], prompts: Mapping[Place, str]) -> str | None:
    own = role_of(node, spec)
    if own is not None:
        return own
    if (node.id, spec.name) in prompts:
        return prompts[node.id, spec.name]
    kind = widget_kind(spec)
    if not _holds_a_value(node) or kind is None:
        return None
    return role_by_consumers(node, nodes, kind) or (role_by_title(node.title, kind) if node.has_own_title else None)


def _holds_a_value(node: GraphNode) -> bool:
    """Whether a node is there to give its only value to others."""
    return (node.passes_values or node.schema is None) and not node.links and sum(1 for _ in node.widgets()) == 1


def _rank(one: _Found, depth: Mapping[str, int], prompts: Mapping[Place, int]) -> tuple[int, ...]:
    """Its place among those of its role: in the order of samplers, outside of subgraphs, first to run."""
    node, group = one.node, GROUPS[one.role]
    if group == ADVANCED:
        return ()
    if group == "prompt":
        joins = bool(node.links) and (node.passes_values or (node.schema is None and "text" not in node.inputs))
        return int(joins), prompts.get((node.id, one.spec.name), len(prompts))
    is_first = group != "size" or bool(_MAKES_PICTURES & {*node.output_types})
    return int(not is_first), node.id.count(":"), depth.get(node.id, len(depth))


def _unnamed(one: _Found, rank: tuple[int, ...]) -> Unnamed:
    return Unnamed(one.node, one.spec.name, one.role, one.marker.name if one.marker is not None else "", rank)


def _described(one: _Found, name: str, catalog: Catalog) -> Parameter:
    parameter = _typed(one.node, one.spec, catalog, one.media)
    marker = one.marker
    default = None if marker is not None and marker.is_empty else parameter.default
    described = replace(
        parameter,
        name=name,
        role=one.role,
        group=GROUPS[one.role],
        default=default,
        required=default is None and one.spec.name not in one.node.inputs if marker is None else default is None,
    )
    if marker is None:
        return described
    return replace(
        described,
        description=marker.description or described.description,
        minimum=described.minimum if marker.minimum is None else marker.minimum,
        maximum=described.maximum if marker.maximum is None else marker.maximum,
    )


def _typed(node: GraphNode, spec: InputSpec, catalog: Catalog, media: str | None) -> Parameter:
    """An input as a parameter without name and role."""
    kind = widget_kind(spec) or "STRING"
    options = None if media is not None or kind != "COMBO" else options_of(spec, catalog)
    default = node.inputs.get(spec.name) if spec.name not in node.links else None
    if default is None:
        default = spec.options.get("default", options[0] if options else None)
    is_number = kind in ("INT", "FLOAT")
    return Parameter(
        key=f"{node.id}.{spec.name}",
        name=f"{node.id}.{spec.name}",
        role=ADVANCED,
        type=media or _TYPES.get(kind, "string"),
        default=default,
        minimum=_number(spec.options.get("min")) if is_number else None,
        maximum=_number(spec.options.get("max")) if is_number else None,
        step=_number(spec.options.get("step")) if is_number else None,
        options=options,
        multiline=bool(spec.options.get("multiline")),
        media=None if media is None else "image" if media == "mask" else media,
        title=node.title,
        description=text if isinstance(text := spec.options.get("tooltip"), str) else "",
        node_id=node.id,
        input_name=spec.name,
    )


def _number(value: Any) -> float | None:
    return value if type(value) in (int, float) and value == value else None


class Inputs:
    """The inputs of one graph that values can be set for, with their parameters."""

    def __init__(self, graph: Mapping[str, Any], parameters: Sequence[Parameter], catalog: Catalog) -> None:
        self._catalog = catalog
        self._nodes = read_nodes(graph, catalog)
        self._by_place = {(one.node_id, one.input_name): one for one in parameters}
        self._addresses = Addresses(self._nodes, parameters)

    def find(self, address: str) -> Parameter:
        """The input at an address: a name, `6.text`, `Title.text`, `class_type.text`, or a role that only one has.

        Raises ParameterError for an unknown or ambiguous one, and for one that must be linked.
        """
        place = self._addresses.find(address)
        return self._by_place.get(place) or self._other(address, place)

    def _other(self, address: str, place: Place) -> Parameter:
        """An input that is no parameter: one that is linked now, or that the class does not declare."""
        node, name = self._nodes[place[0]], place[1]
        spec = node.specs.get(name)
        if spec is not None and widget_kind(spec) is None:
            text = f"{address!r} cannot be set: it takes what another node gives ({spec.type})"
            raise ParameterError([parameter_problem(address, text)])
        if spec is None:
            return Parameter(f"{node.id}.{name}", f"{node.id}.{name}", ADVANCED, "any", None, title=node.title,
                             node_id=node.id, input_name=name)  # fmt: skip
        return _typed(node, spec, self._catalog, media_of(node, spec))


def apply(
    graph: Mapping[str, Any],
    parameters: Sequence[Parameter],
    values: Mapping[str, Any],
    catalog: Catalog,
    random: Random | None = None,
) -> Applied:
    """Set values by their addresses (see `Inputs.find`); null leaves what is there.

    A seed of -1 is drawn at random. `graph` itself is not changed.
    Raises ParameterError that tells everything that is wrong.
    """
    inputs = Inputs(graph, parameters, catalog)
    problems: list[dict[str, Any]] = []
    chosen: dict[Place, tuple[str, Parameter, Any]] = {}
    for address, value in values.items():
        if value is None:
            continue
        try:
            parameter = inputs.find(address)
            fitting = check(parameter, value, catalog, random or _RANDOM)
        except ParameterError as error:
            problems += error.problems
        except Unfit as error:
            problems.append(parameter_problem(address, f"{address}: {error.reason}", error.choices))
        else:
            place = (parameter.node_id, parameter.input_name)
            before = chosen.setdefault(place, (address, parameter, fitting))
            if before[0] != address and before[2] != fitting:
                text = f"{address!r} and {before[0]!r} are the same input and have different values"
                problems.append(parameter_problem(address, text, [parameter.name, parameter.key]))
        if len(problems) >= _MOST_PROBLEMS:
            break
    if problems:
        raise ParameterError(problems)
    repairs = []
    for parameter in parameters:
        place = (parameter.node_id, parameter.input_name)
        if place not in chosen and parameter.role == "seed" and _is_random(parameter):
            seed = draw_seed(parameter, random or _RANDOM)
            chosen[place] = (parameter.name, parameter, seed)
            repairs.append(Repair(parameter.node_id, *seed_drawn(parameter.input_name, seed), parameter.default, seed))
    return replace(_with_values(graph, chosen), repairs=tuple(repairs))


def problems_of(
    graph: Mapping[str, Any], parameters: Sequence[Parameter], values: Mapping[str, Any], catalog: Catalog
) -> list[dict[str, Any]]:
    """Everything that is wrong with values, as `apply` raises it; empty where nothing is."""
    try:
        apply(graph, parameters, values, catalog)
    except ParameterError as error:
        return list(error.problems)
    return []


def _is_random(parameter: Parameter) -> bool:
    """Whether the workflow's own seed is -1 where the class has no meaning of its own for it: not its least value."""
    return parameter.default == -1 and parameter.minimum != -1


def _with_values(graph: Mapping[str, Any], chosen: Mapping[Place, tuple[str, Parameter, Any]]) -> Applied:
    changed = dict(graph)
    used = {}
    for (node_id, name), (_, parameter, value) in chosen.items():
        node = changed[node_id]
        if node is graph[node_id]:
            node = changed[node_id] = {**node, "inputs": dict(node.get("inputs") or {})}
        node["inputs"][name] = value
        used[parameter.name] = value
    return Applied(changed, used)


def schema(parameters: Sequence[Parameter]) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of the values of a workflow, by name."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {one.name: _property(one) for one in parameters},
        "required": [one.name for one in parameters if one.required],
    }


_SCHEMA_TYPES = {"integer": "integer", "number": "number", "boolean": "boolean"}


def _property(one: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {"title": one.title or one.name, "x-role": one.role, "x-key": one.key}
    if one.type != "choice":
        found["type"] = _SCHEMA_TYPES.get(one.type, "string")
    elif one.options:
        found["enum"] = list(one.options)
    if one.minimum is not None:
        found["minimum"] = min(-1, one.minimum) if one.role == "seed" else one.minimum
    if one.maximum is not None:
        found["maximum"] = one.maximum
    if one.default is not None:
        found["default"] = one.default
    texts = [one.description] if one.description else []
    if one.role == "seed":
        texts.append("-1 draws one at random.")
    if one.media is not None:
        found["x-media"] = one.media
        texts.append("Name of an uploaded file, a data URL, base64, or the file itself in a form.")
    if texts:
        found["description"] = " ".join(texts)
    return found
