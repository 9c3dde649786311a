"""Where an input takes its value from once reroutes, subgraphs, muted and bypassed nodes are seen through."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from inglenook.workflows.errors import WorkflowFormatError
from inglenook.workflows.scopes import Scope
from inglenook.workflows.ui import BYPASSED, INPUT_BOUNDARY, MUTED, Socket, UiLink, UiNode

NOTES = frozenset(
    {
        "Note", "MarkdownNote", "Label (rgthree)", "Bookmark (rgthree)", "Fast Groups Muter (rgthree)",
        "Fast Groups Bypasser (rgthree)", "Fast Muter (rgthree)", "Fast Bypasser (rgthree)",
        "Fast Actions Button (rgthree)", "Node Collector (rgthree)", "Mute / Bypass Repeater (rgthree)",
        "Mute / Bypass Relay (rgthree)", "Random Unmuter (rgthree)",
    }
)  # fmt: skip
"""Nodes that only the editor knows: they say or switch something there."""
REROUTES = frozenset({"Reroute", "Reroute (rgthree)"})
PRIMITIVE = "PrimitiveNode"
SETTER = "SetNode"
GETTER = "GetNode"
VIRTUAL = NOTES | REROUTES | {PRIMITIVE, SETTER, GETTER}
"""Types that never reach a server, unless it has a class of that name."""

_MOST_STEPS = 2_000_000


@dataclass(frozen=True, slots=True)
class LinkTo:
    """An output of a node that runs."""

    node_id: str
    slot: int


@dataclass(frozen=True, slots=True)
class Constant:
    """A value."""

    value: Any
    is_outer: bool = False
    """It comes from an instance of a subgraph: nothing is expanded in it."""


Source = LinkTo | Constant | None

_Key = tuple[int, int, str]


class Sources:
    """Resolves inputs of one spread-out workflow."""

    def __init__(self, classes: Container[str]) -> None:
        self._classes = classes
        self._known: dict[_Key, LinkTo | None] = {}
        self._steps = 0
        self._setters: dict[int, dict[str, UiNode]] = {}
        self._sockets: dict[int, dict[str, Socket]] = {}

    def is_virtual(self, kind: str) -> bool:
        return kind in VIRTUAL and kind not in self._classes

    def of(self, scope: Scope, socket: Socket, *, is_widget: bool) -> Source:
        """What an input slot is connected to. is_widget: it would have a value of its own."""
        walk = _Walk(self, scope, socket.link, socket.type, is_widget)
        result = walk.run()
        if walk.may_remember:
            for key in walk.seen:
                self._known[key] = result if isinstance(result, LinkTo) else None
        return result

    def recall(self, key: _Key) -> LinkTo | bool | None:
        """What is known of a link; False when nothing."""
        return self._known.get(key, False)

    def step(self, count: int = 1) -> None:
        """Count work, so that no document can make it endless."""
        self._steps += count
        if self._steps > _MOST_STEPS:
            raise WorkflowFormatError("The links of this workflow go through too many reroutes and subgraphs")

    def socket(self, scope: Scope, name: str) -> Socket | None:
        """The input of that name of the instance that a scope stands for."""
        assert scope.instance is not None
        sockets = self._sockets.get(id(scope))
        if sockets is None:
            sockets = self._sockets[id(scope)] = {one.name: one for one in reversed(scope.instance.inputs)}
        return sockets.get(name)

    def setter(self, scope: Scope, getter: UiNode) -> tuple[Scope, UiNode] | None:
        """The node that gives a variable its value, in the same graph or one around it."""
        name = variable(getter)
        for owner in scope.ancestors() if name is not None else ():
            nodes = self._setters.get(id(owner.graph))
            if nodes is None:
                nodes = self._setters[id(owner.graph)] = _setters(owner)
            found = nodes.get(name or "")
            if found is not None:
                return owner, found
        return None


def variable(node: UiNode) -> str | None:
    """The variable that a SetNode or GetNode names."""
    value = node.values[0] if isinstance(node.values, list) and node.values else None
    return value if isinstance(value, str) and value else None


def _setters(scope: Scope) -> dict[str, UiNode]:
    found: dict[str, UiNode] = {}
    for node in scope.graph.nodes.values():
        name = variable(node) if node.type == SETTER else None
        if name is not None:
            found.setdefault(name, node)
    return found


class _Walk:
    """Follows one input from link to link."""

    def __init__(self, sources: Sources, scope: Scope, link: UiLink | None, wanted: str, is_widget: bool) -> None:
        self.sources = sources
        self.start = self.scope = scope
        self.link = link
        self.wanted = wanted
        self.is_widget = is_widget
        self.is_direct = True
        """No reroute and no bypassed node was passed."""
        self.fallback: Constant | None = None
        """The value of the outermost instance so far, for when nothing is connected further out."""
        self.may_remember = True
        self.seen: dict[_Key, None] = {}

    def run(self) -> Source:
        while self.link is not None:
            self.sources.step()
            key = (id(self.scope), id(self.link), self.wanted)
            if key in self.seen:
                return self.end()
            known = self.sources.recall(key)
            if known is None:
                return self.end()
            if isinstance(known, LinkTo):
                return known
            self.seen[key] = None
            if self.link.origin == INPUT_BOUNDARY and self.scope.parent is not None:
                self.go_out(self.link)
                continue
            origin = self.scope.graph.nodes.get(self.link.origin)
            if origin is None:
                return self.end()
            found = self.pass_through(origin, self.link.origin_slot)
            if found is not None:
                self.may_remember = self.may_remember and isinstance(found, LinkTo)
                return found
        return self.end()

    def end(self) -> Source:
        self.may_remember = self.may_remember and self.fallback is None
        return self.fallback

    def go_out(self, link: UiLink) -> None:
        """From inside a subgraph to its instance's input of the same name."""
        scope, inputs = self.scope, self.scope.graph.inputs
        name = inputs[link.origin_slot] if link.origin_slot < len(inputs) else None
        if name is not None and name in scope.values:
            self.fallback = Constant(scope.values[name], is_outer=True)
        socket = None if name is None else self.sources.socket(scope, name)
        assert scope.parent is not None
        self.scope = scope.parent
        self.link = socket.link if socket is not None else None
        self.wanted = socket.type if socket is not None else ""

    def pass_through(self, origin: UiNode, slot: int) -> LinkTo | Constant | None:
        """Look at what a link comes from: return its end, or go on to the next link (None)."""
        scope, self.link = self.scope, None
        if self.sources.is_virtual(origin.type):
            return self.pass_virtual(origin)
        if origin.mode == MUTED:
            return None
        if origin.mode == BYPASSED:
            self.go_on(scope, origin, self.way_through(origin, slot))
            return None
        child = scope.children.get(origin.id)
        if child is None:
            return LinkTo(scope.path + origin.id, slot)
        self.scope = child
        self.link = child.graph.outputs[slot] if slot < len(child.graph.outputs) else None
        return None

    def pass_virtual(self, origin: UiNode) -> Constant | None:
        if origin.type == PRIMITIVE:
            # Even a muted one; but a reroute or a bypassed node in between hides it.
            self.may_remember = False
            if not (self.is_direct and self.is_widget and isinstance(origin.values, list) and origin.values):
                return None
            return Constant(origin.values[0], is_outer=self.scope is not self.start)
        if origin.type in NOTES or origin.mode == MUTED:
            return None
        if origin.type == GETTER:
            setter = self.sources.setter(self.scope, origin)
            if setter is not None and setter[1].mode != MUTED:
                self.go_on(*setter, 0)
        else:
            self.go_on(self.scope, origin, 0)
        return None

    def go_on(self, scope: Scope, node: UiNode, slot: int | None) -> None:
        """To what input `slot` of a node is connected to."""
        self.is_direct = False
        self.scope = scope
        self.link = node.inputs[slot].link if slot is not None and slot < len(node.inputs) else None
        self.wanted = self.wanted or (node.inputs[slot].type if slot is not None and slot < len(node.inputs) else "")

    def way_through(self, node: UiNode, slot: int) -> int | None:
        """The input that a bypassed node hands on as its output `slot`."""
        inputs = node.inputs
        if self.wanted in ("*", ""):
            return slot if slot < len(inputs) else 0
        given = node.outputs[slot].type if slot < len(node.outputs) else ""
        self.sources.step(len(inputs))

        def fits(socket: Socket) -> bool:
            return is_compatible(socket.type, given) and is_compatible(socket.type, self.wanted)

        if slot < len(inputs) and fits(inputs[slot]):
            return slot
        same = next((index for index, socket in enumerate(inputs) if socket.type == self.wanted), None)
        return same if same is not None else next((index for index, one in enumerate(inputs) if fits(one)), None)


def is_compatible(one: str, other: str) -> bool:
    """Whether the editor would connect two types: upper case, `*` and the empty text match everything."""
    if one == other or one in ("*", "", "0") or other in ("*", "", "0"):
        return True
    return ("," in one or "," in other) and not set(one.split(",")).isdisjoint(other.split(","))
