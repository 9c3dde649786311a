"""One run of one graph, from the event after `Started` to the last but one: the state behind `Executor.execute`."""

from __future__ import annotations

import inspect
import logging
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from inglenook.engine import context
from inglenook.engine.async_calls import AsyncCalls, Raised
from inglenook.engine.cache import Cache, NodeResult
from inglenook.engine.context import InterruptProcessing, NodeContext
from inglenook.engine.cycle import DependencyCycleError, find_cycle
from inglenook.engine.dynamic_graph import DynamicGraph, NodeNotFound
from inglenook.engine.events import (
    AnyEvent,
    Blocked,
    Cached,
    End,
    Failed,
    Interrupted,
    NodeDone,
    NodeStarted,
    Succeeded,
)
from inglenook.engine.expansion import ExpandedUi, PendingExpansion, as_link, parse_expansion, resolve
from inglenook.engine.failure import (
    exception_message,
    exception_name,
    exception_traceback,
    input_summary,
    is_out_of_memory,
)
from inglenook.engine.graph import Graph, Link, Node
from inglenook.engine.keys import NEVER, Key, add_keys, changed_value, node_key
from inglenook.engine.mapping import blocker_in, calls, merge_outputs, merge_ui
from inglenook.engine.node_class import NodeClass, NodeClasses
from inglenook.engine.returns import Returned, blocked, read_returned
from inglenook.engine.schedule import Schedule
from inglenook.errors import NodeError

logger = logging.getLogger(__name__)

Emit = Callable[[AnyEvent], None]
Inputs = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Run:
    """A job as the executor needs it."""

    job_id: str
    graph: Graph
    outputs: tuple[str, ...]
    """Ids of the roots."""
    extra_data: Mapping[str, Any] = field(default_factory=dict)
    preview_method: str | None = None


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Execution:
    """The state of one run. Made for one call of `run`."""

    def __init__(
        self,
        job: Run,
        classes: NodeClasses,
        cache: Cache,
        async_calls: AsyncCalls,
        emit: Emit,
        is_interrupted: Callable[[], bool],
        on_out_of_memory: Callable[[], None] | None,
    ) -> None:
        self.job = job
        self.classes = classes
        self.cache = cache
        self.async_calls = async_calls
        self.emit = emit
        self.is_interrupted = is_interrupted
        self.on_out_of_memory = on_out_of_memory
        self.graph = DynamicGraph(job.graph)
        self.schedule = Schedule(self._is_output, self._is_async)
        self.keys: dict[str, Key] = {}
        self.results: dict[str, NodeResult] = {}
        """Results that nodes of this run still need, by id."""
        self.uses: dict[str, int] = {}
        """Node id -> links to it from nodes that were asked for and are not done."""
        self.roots = set(job.outputs)
        self.unlinked: set[str] = set()
        """Roots that had a cached result when they were asked for, so that their sources were not."""
        self.executed: list[str] = []
        self.outputs: dict[str, Any] = {}
        self.meta: dict[str, Any] = {}
        self.hits: list[str] = []
        self.caches: dict[str, Cache] = {}
        """Where results of expanded nodes are kept; others are in `cache`."""
        self.expansions: dict[str, PendingExpansion] = {}
        self.expanded_ui: dict[str, ExpandedUi] = {}
        self.pending_inputs: dict[str, Inputs] = {}
        """Inputs of asynchronous nodes under way."""
        self.current: str | None = None
        self.current_inputs: Inputs = {}

    def run(self) -> End:
        """Run the graph. KeyboardInterrupt alone passes through."""
        try:
            self._prepare()
            self._work()
        except KeyboardInterrupt:
            raise
        except InterruptProcessing:
            return self._interrupted()
        except BaseException as error:  # whatever a node raises, SystemExit too, ends its own job only
            return self._failed(error)
        finally:
            if self.async_calls:
                self.async_calls.cancel()
        return Succeeded(self.outputs, self.meta, now_ms())

    # Before the first node

    def _prepare(self) -> None:
        nodes = self.graph.nodes
        owners = {(node.id, node.class_type) for node in nodes.values()}
        self.classes.keep(owners)
        add_keys(nodes, self._key, self.keys)
        self.cache.begin({key for key in self.keys.values() if key is not None}, owners)
        for node_id in nodes:
            hit = self._cached(node_id)
            if hit is None:
                continue
            self.hits.append(node_id)
            if node_id in self.roots or not self._is_output(node_id):
                self._record_ui(node_id, hit)
        self.emit(Cached(list(self.hits), now_ms()))

    def _key(self, node: Node) -> Key:
        node_class = self.classes.get(node.class_type)
        if node_class is None:
            return None
        changed: Any = None
        if node_class.always_changed:
            changed = NEVER
        elif node_class.implementation.fingerprint is not None:
            changed = self._fingerprint(node, node_class)
        return node_key(node, node.id if node_class.uses_node_id else None, changed, self.keys)

    def _fingerprint(self, node: Node, node_class: NodeClass) -> Any:
        """What the class's change detection says, per call; NEVER when it fails."""
        fingerprint = node_class.implementation.fingerprint
        assert fingerprint is not None
        self.current = node.id
        inputs: Inputs = {
            name: [None] if type(value) is Link else [value]
            for name, value in node.inputs.items()
            if name in node_class.declared
        }
        self._add_hidden(inputs, node, node_class)
        try:
            values = [
                self.async_calls.wait_for(fingerprint(**arguments))
                for arguments in calls(inputs, is_input_list=node_class.is_input_list)
            ]
        except Exception:
            logger.warning("change detection of node %s (%s) failed", node.id, node.class_type, exc_info=True)
            return NEVER
        return changed_value(values)

    # Asking for nodes

    def _work(self) -> None:
        for root in self.job.outputs:
            self._require([root])
        schedule, async_calls = self.schedule, self.async_calls
        while True:
            node_id = schedule.next()
            if node_id is not None:
                self._visit(node_id)
                if async_calls:
                    async_calls.turn()
            elif async_calls:
                self.current = next(iter(self.pending_inputs))
                async_calls.wait(self.is_interrupted)
                self._stop_if_interrupted()
            else:
                break
            if async_calls:
                self._collect()
        if len(schedule):
            raise self._cycle()

    def _require(self, stack: list[str]) -> None:
        """Ask for the nodes in `stack` and all that they need."""
        schedule = self.schedule
        while stack:
            node_id = stack.pop()
            if node_id in schedule:
                continue
            schedule.add(node_id)
            if node_id in self.roots and self._cached(node_id) is not None:
                self.unlinked.add(node_id)
            else:
                self._link(node_id, stack)
            schedule.release(node_id)

    def _link(self, node_id: str, stack: list[str]) -> None:
        """Let a node wait for its sources; those that nobody asked for yet go on the stack."""
        node = self.graph.nodes[node_id]
        node_class = self.classes.get(node.class_type)
        lazy = node_class.lazy if node_class is not None else ()
        uses = self.uses
        first = len(stack)
        for name, value in node.inputs.items():
            if type(value) is Link:
                source = value.node_id
                uses[source] = uses.get(source, 0) + 1
                if name not in lazy:
                    self._need(node_id, source, stack)
        stack[first:] = reversed(stack[first:])  # the first input's source is taken first

    def _need(self, node_id: str, source: str, stack: list[str]) -> None:
        if source in self.results:
            return
        if source not in self.schedule:
            hit = self._cached(source)
            if hit is not None:
                self.results[source] = hit
                return
            if source not in self.graph.nodes:
                raise NodeNotFound(source)
            stack.append(source)
        self.schedule.wait(node_id, source)

    def _cached(self, node_id: str) -> NodeResult | None:
        key = self.keys.get(node_id)
        return None if key is None else self._cache_of(node_id).get(key)

    def _cache_of(self, node_id: str) -> Cache:
        return self.caches.get(node_id, self.cache) if self.caches else self.cache

    # One node

    def _visit(self, node_id: str) -> None:
        self.current = node_id
        self.current_inputs = {}
        self._stop_if_interrupted()
        if node_id in self.expansions:
            self._resolve(node_id, self.expansions.pop(node_id))
            return
        hit = self._cached(node_id)
        if hit is not None:
            self._take(node_id, hit)
            return
        if node_id in self.unlinked:  # its cached result was evicted meanwhile
            self.unlinked.discard(node_id)
            self._wait_again(node_id, lambda stack: self._link(node_id, stack))
            return
        node = self.graph.nodes[node_id]
        node_class = self.classes.get(node.class_type)
        if node_class is None:
            raise NodeError(f"node class {node.class_type!r} is not available here")
        self.emit(NodeStarted(self.graph.ref(node_id)))
        missing: set[str] = set()
        inputs = self.current_inputs = self._gather(node, node_class, missing)
        instance = self.classes.instance(node_id, node_class)
        if node_class.implementation.check_lazy is not None:
            wanted = self._wanted(node, node_class, inputs, missing)
            if wanted:
                self._wait_again(node_id, lambda stack: self._need_all(node_id, wanted, stack))
                return
        outcomes: list[Any] = []
        awaited = False
        output_count = len(node_class.output_is_list)
        for index, arguments in enumerate(calls(inputs, is_input_list=node_class.is_input_list)):
            blocker = blocker_in(arguments, is_input_list=node_class.is_input_list)
            if blocker is not None:
                if blocker.message is not None:
                    self._tell_blocked(node_id, blocker.message)
                outcomes.append(blocked(output_count))
                continue
            if index:
                self._stop_if_interrupted()
            token = context.enter(self._context(node_id, index))
            try:
                outcome = instance.run(**arguments)
                kind = type(outcome)
                if kind is not tuple and kind is not dict and inspect.isawaitable(outcome):
                    outcome = self.async_calls.task(outcome)
                    awaited = True
            finally:
                context.leave(token)
            outcomes.append(outcome)
        if awaited:
            self.pending_inputs[node_id] = inputs
            self.async_calls.start(node_id, outcomes)
        else:
            self._returned(node_id, node_class, outcomes)

    def _context(self, node_id: str, call_index: int) -> NodeContext:
        return NodeContext(
            self.job.job_id,
            self.graph.ref(node_id),
            self.emit,
            self.is_interrupted,
            self.job.preview_method,
            call_index,
        )

    def _gather(self, node: Node, node_class: NodeClass, missing: set[str]) -> Inputs:
        """The node's inputs as lists of values; names of those whose source has not run go into `missing`."""
        inputs: Inputs = {}
        declared = node_class.declared
        for name, value in node.inputs.items():
            if name not in declared:
                continue
            if type(value) is not Link:
                inputs[name] = [value]
            elif name in node_class.raw_links:
                inputs[name] = [[value.node_id, value.slot]]
            else:
                result = self.results.get(value.node_id) or self._cached(value.node_id)
                if result is None:
                    missing.add(name)
                    inputs[name] = [None]
                else:
                    inputs[name] = self._values(value, result)
        if node_class.hidden:
            self._add_hidden(inputs, node, node_class)
        return inputs

    def _values(self, link: Link, result: NodeResult) -> list[Any]:
        if not 0 <= link.slot < len(result.outputs):
            raise IndexError(f"node {link.node_id} gave {len(result.outputs)} outputs, there is no slot {link.slot}")
        return result.outputs[link.slot]

    def _add_hidden(self, inputs: Inputs, node: Node, node_class: NodeClass) -> None:
        extra_data = self.job.extra_data
        for name, kind in node_class.hidden:
            match kind:
                case "PROMPT":
                    value: Any = self.graph.get_original_prompt()
                case "EXTRA_PNGINFO":
                    value = extra_data.get("extra_pnginfo")
                case "UNIQUE_ID":
                    value = node.id
                case "DYNPROMPT":
                    value = self.graph
                case "AUTH_TOKEN_COMFY_ORG" | "API_KEY_COMFY_ORG" | "COMFY_USAGE_SOURCE":
                    value = extra_data.get(kind.lower())
                case _:
                    continue
            inputs[name] = [value]

    def _tell_blocked(self, node_id: str, message: str) -> None:
        class_type = self.graph.nodes[node_id].class_type
        self.emit(Blocked(self.graph.ref(node_id), class_type, message, list(self.executed)))

    # Lazy inputs

    def _wanted(self, node: Node, node_class: NodeClass, inputs: Inputs, missing: set[str]) -> list[str]:
        """Names of unevaluated inputs that the node asks for. Raises NodeError when it asks for one that it lacks."""
        check = node_class.implementation.check_lazy
        assert check is not None
        instance = self.classes.instance(node.id, node_class)
        wanted: dict[str, None] = {}
        for index, arguments in enumerate(calls(inputs, is_input_list=node_class.is_input_list)):
            if blocker_in(arguments, is_input_list=node_class.is_input_list) is not None:
                continue
            token = context.enter(self._context(node.id, index))
            try:
                names = self.async_calls.wait_for(check(instance, arguments))
            finally:
                context.leave(token)
            wanted.update(dict.fromkeys(names or ()))
        for name in wanted:
            if name not in node.inputs:
                raise NodeError(
                    f"{node.class_type} asks for its lazy input {name!r}, which node {node.id} does not have"
                )
        return [name for name in wanted if name in missing]

    def _need_all(self, node_id: str, names: Sequence[str], stack: list[str]) -> None:
        inputs = self.graph.nodes[node_id].inputs
        for name in names:
            self._need(node_id, inputs[name].node_id, stack)

    def _wait_again(self, node_id: str, need: Callable[[list[str]], None]) -> None:
        """Put the node back until what `need` asks for is done."""
        self.schedule.hold(node_id)
        stack: list[str] = []
        need(stack)
        self._require(stack)
        self.schedule.release(node_id)

    # Results

    def _collect(self) -> None:
        """Take in the results of asynchronous nodes that ended."""
        for node_id, values in self.async_calls.finished():
            self.current = node_id
            self.current_inputs = self.pending_inputs.pop(node_id)
            for value in values:
                if type(value) is Raised:
                    raise value.error
            node_class = self.classes.get(self.graph.nodes[node_id].class_type)
            assert node_class is not None
            self._returned(node_id, node_class, values)

    def _returned(self, node_id: str, node_class: NodeClass, outcomes: Sequence[Any]) -> None:
        count = len(node_class.output_is_list)
        returned = [
            outcome if type(outcome) is Returned else read_returned(outcome, node_class.name, count)
            for outcome in outcomes
        ]
        ui = merge_ui([call.ui for call in returned if call.ui is not None])
        if any(call.expand is not None for call in returned):
            self._expand(node_id, node_class, returned, ui)
        else:
            outputs = merge_outputs([call.outputs for call in returned], node_class.output_is_list)
            self._store(node_id, NodeResult(outputs, ui))

    def _store(self, node_id: str, result: NodeResult) -> None:
        self.executed.append(node_id)
        key = self.keys.get(node_id)
        if key is not None:
            self._cache_of(node_id).put(key, result)
        self.emit(NodeDone(self.graph.ref(node_id), result.ui))
        self._record_ui(node_id, result)
        self._done(node_id, result, linked=True)

    def _take(self, node_id: str, hit: NodeResult) -> None:
        """End a node by its cached result."""
        self.emit(NodeDone(self.graph.ref(node_id), hit.ui, cached=True, show=node_id in self.roots))
        self._record_ui(node_id, hit)
        linked = node_id not in self.unlinked
        self.unlinked.discard(node_id)
        self._done(node_id, hit, linked=linked)

    def _record_ui(self, node_id: str, result: NodeResult) -> None:
        if result.ui is None and result.expanded is None:
            return
        ref = self.graph.ref(node_id)
        above = self.expanded_ui.get(ref.parent_id) if ref.parent_id is not None else None
        if result.ui is not None:
            self.outputs[node_id] = result.ui
            self.meta[node_id] = ref
            if above is not None:
                above.own.append((ref, result.ui))
        if result.expanded is not None and node_id not in self.expanded_ui:
            for inner, ui in result.expanded.all(node_id):
                self.outputs[inner.node_id] = ui
                self.meta[inner.node_id] = inner
            if above is not None:
                above.nested.append(result.expanded)

    def _done(self, node_id: str, result: NodeResult, *, linked: bool) -> None:
        if node_id in self.uses:
            self.results[node_id] = result
        self.schedule.done(node_id)
        if linked:
            for value in self.graph.nodes[node_id].inputs.values():
                if type(value) is Link:
                    self._unuse(value.node_id)

    def _unuse(self, source: str) -> None:
        """One consumer less; a result that nobody needs any more is dropped (the cache may hold it still)."""
        left = self.uses[source] - 1
        if left:
            self.uses[source] = left
        else:
            del self.uses[source]
            self.results.pop(source, None)

    # Expansion

    def _expand(
        self, node_id: str, node_class: NodeClass, returned: Sequence[Returned], ui: dict[str, list[Any]] | None
    ) -> None:
        """Take in the graphs that the node returned and let it wait for the nodes that its outputs name."""
        added: dict[str, Node] = {}
        for call in returned:
            for node, display_id in parse_expansion(call.expand or {}, self.graph.has_node):
                self.graph.add(node, node_id, display_id)
                added[node.id] = node
        cache = self._cache_of(node_id).expansion((node_id, node_class.name))
        self.caches.update(dict.fromkeys(added, cache))
        add_keys(added, self._key, self.keys)
        keys = {key for new in added if (key := self.keys[new]) is not None}
        cache.begin(keys, {(node.id, node.class_type) for node in added.values()})
        self._nest_ui(node_id)
        returned = [
            call if call.expand is None else replace(call, outputs=_with_links(call.outputs)) for call in returned
        ]
        self.expansions[node_id] = PendingExpansion(returned, ui)
        self.roots.update(new for new in added if self._is_output(new))
        self._wait_again(node_id, lambda stack: self._need_expanded(node_id, added, stack))

    def _nest_ui(self, node_id: str) -> None:
        mine = self.expanded_ui[node_id] = ExpandedUi(node_id)
        parent = self.graph.ref(node_id).parent_id
        if parent is not None and parent in self.expanded_ui:
            self.expanded_ui[parent].nested.append(mine)

    def _need_expanded(self, node_id: str, added: Mapping[str, Node], stack: list[str]) -> None:
        for link in self.expansions[node_id].links():
            self.uses[link.node_id] = self.uses.get(link.node_id, 0) + 1
            self._need(node_id, link.node_id, stack)
        stack += [new for new in added if new in self.roots]

    def _resolve(self, node_id: str, pending: PendingExpansion) -> None:
        """The nodes that the outputs name have run: end the node that expanded into them."""
        node_class = self.classes.get(self.graph.nodes[node_id].class_type)
        assert node_class is not None
        outputs = resolve(
            pending.returned,
            node_class.output_is_list,
            lambda link: self._values(link, self.results[link.node_id]),
        )
        self._store(node_id, NodeResult(outputs, pending.ui, self.expanded_ui[node_id]))
        for link in pending.links():
            self._unuse(link.node_id)

    # The end

    def _cycle(self) -> Exception:
        """Nodes wait for each other: name the node that made it so."""
        cycle = find_cycle(self.schedule.waiting())
        made = next((node_id for node_id in cycle if self.graph.is_expanded(node_id)), None)
        self.current = cycle[0] if made is None else self.graph.ref(made).parent_id
        self.current_inputs = {}
        return DependencyCycleError([(node_id, self.graph.nodes[node_id].class_type) for node_id in cycle])

    def _real(self) -> tuple[str, str]:
        """The submitted node at which the run stopped, and its class."""
        if self.current is None:
            return "", ""
        real = self.graph.ref(self.current).real_id
        return real, self.graph.nodes[real].class_type

    def _interrupted(self) -> Interrupted:
        node_id, class_type = self._real()
        return Interrupted(node_id, class_type, list(self.executed), self.outputs, self.meta, now_ms())

    def _failed(self, error: BaseException) -> Failed:
        node_id, class_type = self._real()
        logger.info(
            "node %s (%s) failed: %s", node_id, class_type, exception_name(error), extra={"job": self.job.job_id}
        )
        failed = Failed(
            node_id=node_id,
            class_type=class_type,
            message=exception_message(error),
            exception_type=exception_name(error),
            traceback=exception_traceback(error),
            inputs=input_summary(self.current_inputs),
            executed=list(self.executed),
            current_outputs=list(dict.fromkeys([*self.hits, *self.executed])),
            outputs=self.outputs,
            meta=self.meta,
            time_ms=now_ms(),
        )
        if is_out_of_memory(error):
            self._free_memory(error)
        return failed

    def _free_memory(self, error: BaseException) -> None:
        """Let go of what the failed call still holds, then let the worker unload its models."""
        self.current_inputs = {}
        self.pending_inputs.clear()
        self.results.clear()
        while True:
            if error.__traceback__ is not None:
                traceback.clear_frames(error.__traceback__)
            error.__traceback__ = None
            if error.__context__ is None:
                break
            error = error.__context__
        if self.on_out_of_memory is not None:
            self.on_out_of_memory()

    # Facts about nodes and the run

    def _stop_if_interrupted(self) -> None:
        if self.is_interrupted():
            raise InterruptProcessing

    def _is_output(self, node_id: str) -> bool:
        node_class = self.classes.get(self.graph.nodes[node_id].class_type)
        return node_class is not None and node_class.is_output

    def _is_async(self, node_id: str) -> bool:
        node_class = self.classes.get(self.graph.nodes[node_id].class_type)
        return node_class is not None and node_class.implementation.is_async


def _with_links(outputs: Sequence[Any]) -> tuple[Any, ...]:
    """The outputs of a call that expanded, with the links among them told from other values."""
    return tuple(value if (link := as_link(value)) is None else link for value in outputs)
