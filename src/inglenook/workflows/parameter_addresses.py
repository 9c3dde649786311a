"""From the ways in which clients name an input to the input."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from inglenook.engine.values import shorten
from inglenook.workflows.parameter import ADVANCED, Parameter, ParameterError, parameter_problem
from inglenook.workflows.parameter_nodes import GraphNode

Place = tuple[str, str]
"""(node id, input name)."""

_MOST_CHOICES = 20
_MOST_COMPARED = 2_000
_MOST_NEAR = 10
"""Unknown addresses that near ones are looked for; each takes milliseconds."""
_LONGEST = 200
_VIEW_COMFY = re.compile(r"(.+)-inputs-(.+)", re.S)
_MOST_DOTS = 20


class Addresses:
    """Every address of the inputs of one graph."""

    def __init__(self, nodes: Mapping[str, GraphNode], parameters: Sequence[Parameter]) -> None:
        self._nodes = nodes
        self._parameters = parameters
        self._names = {one.name: one for one in parameters}
        self._named = {_place(one): one.name for one in parameters}
        self._folded: dict[str, list[Parameter]] = defaultdict(list)
        self._roles: dict[str, list[Parameter]] = defaultdict(list)
        for one in parameters:
            self._folded[one.name.casefold()].append(one)
            if one.role != ADVANCED:
                self._roles[one.role].append(one)
        self._titles: dict[str, list[GraphNode]] = defaultdict(list)
        self._classes: dict[str, list[GraphNode]] = defaultdict(list)
        for node in nodes.values():
            self._titles[node.title.casefold()].append(node)
            self._classes[node.class_type.casefold()].append(node)
        self._near_left = _MOST_NEAR

    def find(self, address: str) -> Place:
        """The input at an address. Raises ParameterError with the choices when there is none, or more than one."""
        if address in self._names:
            return _place(self._names[address])
        places = self._of_node(address)
        if not places:
            places = [_place(one) for one in self._folded.get(address.casefold(), ())]
        if not places:
            places = [_place(one) for one in self._roles.get(address.casefold(), ())]
        if len(places) == 1:
            return places[0]
        shown = repr(shorten(address, 100))
        if places:
            choices = [self._shown(place) for place in places[:_MOST_CHOICES]]
            text = f"{shown} may be any of {len(places)} inputs: {', '.join(choices)}"
            raise ParameterError([parameter_problem(shorten(address), text, choices)])
        choices = self._near(address)
        hint = f"; did you mean {' or '.join(map(repr, choices[:3]))}?" if choices else ""
        raise ParameterError([parameter_problem(shorten(address), f"This workflow has no parameter {shown}{hint}",
                                                choices or self._first())])  # fmt: skip

    def _of_node(self, address: str) -> list[Place]:
        """Inputs named by their node: its id, which is unique, else its title, else its class."""
        splits = list(_splits(address))
        for node_id, name in splits:
            node = self._nodes.get(node_id)
            if node is not None and (own := _input_of(node, name)) is not None:
                return [(node.id, own)]
        for index in (self._titles, self._classes):
            found = [
                (node.id, own)
                for owner, name in splits
                for node in index.get(owner.casefold(), ())
                if (own := _input_of(node, name)) is not None
            ]
            if found:
                return found
        return []

    def _shown(self, place: Place) -> str:
        return self._named.get(place) or f"{place[0]}.{place[1]}"

    def _near(self, address: str) -> list[str]:
        """Addresses like an unknown one: of the node that it names, or spelled alike."""
        if self._near_left <= 0 or len(address) > _LONGEST:
            return []
        self._near_left -= 1
        for node_id, _ in _splits(address):
            if node_id in self._nodes:
                node = self._nodes[node_id]
                names = {name for name in (*node.inputs, *node.specs) if name not in node.specs or node.is_widget(name)}
                return sorted(f"{node_id}.{name}" for name in names)[:_MOST_CHOICES]
        some = self._parameters[:_MOST_COMPARED]
        by_folded = {text.casefold(): text for one in some for text in (one.key, one.name)}
        near = difflib.get_close_matches(address.casefold(), by_folded, n=5, cutoff=0.6)
        inside = [one.name for one in some if address.casefold() in one.name.casefold()][:5] if len(address) > 2 else []
        return list(dict.fromkeys([by_folded[text] for text in near] + inside))

    def _first(self) -> list[str]:
        return [one.name for one in self._parameters[:_MOST_CHOICES]]


def _splits(address: str) -> Iterator[tuple[str, str]]:
    """Every way to read an address as `owner.input`; both may have dots."""
    position = -1
    for _ in range(_MOST_DOTS):
        position = address.find(".", position + 1)
        if position < 0:
            break
        yield address[:position], address[position + 1 :]
    match = _VIEW_COMFY.fullmatch(address)
    if match:
        yield match[1], match[2]


def _input_of(node: GraphNode, name: str) -> str | None:
    """The input of that name, else the only one that is called so in another case; None where there is none."""
    if name in node.inputs or name in node.specs:
        return name
    folded = name.casefold()
    same = {own for own in (*node.inputs, *node.specs) if own.casefold() == folded}
    return same.pop() if len(same) == 1 else None


def _place(parameter: Parameter) -> Place:
    return parameter.node_id, parameter.input_name
