"""What a run asks for: nodes that others need, the results they wait for, and when a result is needed no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from inglenook.engine.cache import NodeResult
from inglenook.engine.dynamic_graph import DynamicGraph, NodeNotFound
from inglenook.engine.graph import Link
from inglenook.engine.node_class import NodeClasses
from inglenook.engine.schedule import Schedule


class Demand:
    """Asks for roots and, through links that are not lazy, for what they need; stops at cached results.

    A result is held here from the moment it is known until the last node that was asked for and links to it is done.
    """

    def __init__(
        self,
        graph: DynamicGraph,
        classes: NodeClasses,
        schedule: Schedule,
        cached: Callable[[str], NodeResult | None],
    ) -> None:
        """cached: the result that the cache has for a node, if any."""
        self._graph = graph
        self._classes = classes
        self._schedule = schedule
        self._cached = cached
        self._results: dict[str, NodeResult] = {}
        self._uses: dict[str, int] = {}
        """Node id -> links to it from nodes that were asked for and are not done."""
        self._unlinked: set[str] = set()
        """Roots that had a cached result when they were asked for, so that their sources were not."""

    def ask(self, roots: Iterable[str]) -> None:
        """Ask for `roots`; nodes with a cached result are given to the schedule as they are."""
        stack: list[str] = []
        for root in roots:
            if root in self._schedule:
                continue
            if root not in self._graph.nodes:
                raise NodeNotFound(root)
            if self._cached(root) is None:
                stack.append(root)
                self._drain(stack)
            else:
                self._schedule.add(root)
                self._unlinked.add(root)
                self._schedule.release(root)

    def result(self, node_id: str) -> NodeResult | None:
        """The result of a node that was asked for, or that the cache has."""
        return self._results.get(node_id) or self._cached(node_id)

    def ask_again(self, node_id: str) -> bool:
        """Whether the node's sources were not asked for (its cached result has gone since); they are now."""
        if node_id not in self._unlinked:
            return False
        self._unlinked.discard(node_id)
        with self._holding(node_id) as stack:
            self._link(node_id, stack)
        return True

    def need(self, node_id: str, links: Iterable[Link]) -> None:
        """Put a node back that was about to run, until the sources of `links` are done."""
        with self._holding(node_id) as stack:
            for link in links:
                self._need(node_id, link.node_id, stack)

    def use(self, links: Iterable[Link]) -> None:
        """Hold the results that `links` lead to until `unuse`."""
        for link in links:
            self._uses[link.node_id] = self._uses.get(link.node_id, 0) + 1

    def unuse(self, links: Iterable[Link]) -> None:
        """Let go of them; what nothing else uses is dropped (the cache may hold it still)."""
        uses = self._uses
        for link in links:
            source = link.node_id
            left = uses[source] - 1
            if left:
                uses[source] = left
            else:
                del uses[source]
                self._results.pop(source, None)

    def done(self, node_id: str, result: NodeResult) -> None:
        """The node has its result: nodes that wait for it may run, and what it used is let go of."""
        if node_id in self._uses:
            self._results[node_id] = result
        self._schedule.done(node_id)
        if node_id in self._unlinked:
            self._unlinked.discard(node_id)
        else:
            self.unuse(self._graph.nodes[node_id].links())

    def drop_results(self) -> None:
        """Forget all results: the run is over."""
        self._results.clear()

    @contextmanager
    def _holding(self, node_id: str) -> Iterator[list[str]]:
        self._schedule.hold(node_id)
        stack: list[str] = []
        yield stack
        self._drain(stack)
        self._schedule.release(node_id)

    def _drain(self, stack: list[str]) -> None:
        """Ask for the nodes on the stack and all that they need."""
        schedule = self._schedule
        while stack:
            node_id = stack.pop()
            if node_id not in schedule:
                schedule.add(node_id)
                self._link(node_id, stack)
                schedule.release(node_id)

    def _link(self, node_id: str, stack: list[str]) -> None:
        """Let a node wait for its sources; those that nobody asked for yet go on the stack, the first one on top."""
        node = self._graph.nodes[node_id]
        node_class = self._classes.get(node.class_type)
        lazy = node_class.specs_of(node).lazy if node_class is not None else frozenset()
        uses = self._uses
        bottom = len(stack)
        for name, value in node.inputs.items():
            if type(value) is Link:
                source = value.node_id
                uses[source] = uses.get(source, 0) + 1
                if name not in lazy:
                    self._need(node_id, source, stack)
        stack[bottom:] = stack[bottom:][::-1]

    def _need(self, node_id: str, source: str, stack: list[str]) -> None:
        if source in self._results:
            return
        if source not in self._schedule:
            hit = self._cached(source)
            if hit is not None:
                self._results[source] = hit
                return
            if source not in self._graph.nodes:
                raise NodeNotFound(source)
            stack.append(source)
        self._schedule.wait(node_id, source)
