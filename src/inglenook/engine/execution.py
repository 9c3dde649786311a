"""One run of one graph, from the event after `Started` to the last but one: the state behind `Executor.execute`."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from inglenook.engine import context
from inglenook.engine.async_calls import AsyncCalls, Raised
from inglenook.engine.cache import Cache, NodeResult
from inglenook.engine.context import InterruptProcessing, NodeContext
from inglenook.engine.cycle import DependencyCycleError, find_cycle
from inglenook.engine.demand import Demand
from inglenook.engine.dynamic_graph import DynamicGraph
from inglenook.engine.events import (
    AnyEvent,
    Blocked,
    Cached,
    End,
    Failed,
    Interrupted,
    NodeDone,
    NodeRef,
    NodeStarted,
    Succeeded,
)
from inglenook.engine.expansion import ExpandedUi, PendingExpansion, parse_expansion, resolve, with_links
from inglenook.engine.failure import (
    exception_message,
    exception_name,
    exception_traceback,
    forget,
    input_summary,
    is_out_of_memory,
)
from inglenook.engine.graph import Graph, Link, Node
from inglenook.engine.implementation import NodeInstance
from inglenook.engine.keys import NEVER, Key, add_keys, changed_value, node_key
from inglenook.engine.mapping import blocker_in, calls, merge_outputs, merge_ui
from inglenook.engine.node_class import NodeClass, NodeClasses
from inglenook.engine.node_inputs import InputReader, NodeInputs, lazy_arguments, node_arguments, slot_values
from inglenook.engine.providers import CacheContext, Providers
from inglenook.engine.returns import Returned, blocked, read_returned
from inglenook.engine.schedule import Schedule
from inglenook.engine.secrets import secret_values
from inglenook.engine.validators import ValidatorRefused, answer, call_for, refusal
from inglenook.engine.values import well_formed
from inglenook.errors import NodeError

logger = logging.getLogger(__name__)

Emit = Callable[[AnyEvent], None]
_NO_INPUTS = NodeInputs({})


@dataclass(frozen=True, slots=True)
class Run:
    """A job as the executor needs it."""

    job_id: str
    graph: Graph
    outputs: tuple[str, ...]
    """Ids of the roots."""
    extra_data: Mapping[str, Any] = field(default_factory=dict)
    preview_method: str | None = None
    ask_validators: bool = False
    """Ask the classes' own validators at the start: they could not be asked when the job was accepted."""


@dataclass(frozen=True, slots=True)
class Services:
    """What runs share: node classes and their instances, the cache, the loop of asynchronous nodes."""

    classes: NodeClasses
    cache: Cache
    async_calls: AsyncCalls
    on_out_of_memory: Callable[[], None] | None = None
    providers: Providers = field(default_factory=Providers)


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Execution:
    """The state of one run. Made for one call of `run`."""

    def __init__(self, job: Run, services: Services, emit: Emit, is_interrupted: Callable[[], bool]) -> None:
        self.job = job
        self.services = services
        self.classes = services.classes
        self.async_calls = services.async_calls
        self.secrets = secret_values(job.extra_data)
        self.emit = emit
        self.is_interrupted = is_interrupted
        self.graph = DynamicGraph(job.graph)
        self.schedule = Schedule(self._is_output, self._is_async)
        self.demand = Demand(self.graph, self.classes, self.schedule, self._cached)
        self.reader = InputReader(self.graph, job.extra_data, self.demand.result)
        self.keys: dict[str, Key] = {}
        self.roots = set(job.outputs)
        self.hits: list[str] = []
        """Nodes of the submitted graph with a cached result at the start."""
        self.executed: list[str] = []
        self.told: set[str] = set()
        """Nodes whose NodeDone went out."""
        self.outputs: dict[str, Any] = {}
        self.meta: dict[str, NodeRef] = {}
        self.caches: dict[str, Cache] = {}
        """Where results of expanded nodes are kept; others are in the services' cache."""
        self.provided: dict[str, NodeResult] = {}
        """Results that cache providers had."""
        self.expansions: dict[str, PendingExpansion] = {}
        self.expanded_ui: dict[str, ExpandedUi] = {}
        self.awaited: dict[str, NodeInputs] = {}
        """Asynchronous nodes under way."""
        self.current: str | None = None
        """The node that an exception belongs to."""
        self.current_inputs = _NO_INPUTS

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
            self.async_calls.cancel()
            if self.services.providers:
                self.services.providers.end(self.job.job_id, self.async_calls.wait_for)
            self._drop_values()
        return Succeeded(self.outputs, self.meta, now_ms())

    # Before the first node

    def _prepare(self) -> None:
        nodes = self.graph.nodes
        owners = {(node.id, node.class_type) for node in nodes.values()}
        self.classes.keep(owners)
        add_keys(nodes, self._key, self.keys)
        if self.job.ask_validators:
            self._ask_validators()
        self.current = None
        self.services.cache.begin({key for key in self.keys.values() if key is not None}, owners)
        if self.services.providers:
            self.services.providers.begin(self.job.job_id, self.async_calls.wait_for)
            self._ask_providers(nodes.values())
        for node_id in nodes:
            hit = self._cached(node_id)
            if hit is not None:
                self.hits.append(node_id)
                if node_id in self.roots or not self._is_output(node_id):
                    self._record_ui(node_id, hit)
        self.emit(Cached(list(self.hits), now_ms()))

    def _ask_providers(self, nodes: Iterable[Node]) -> None:
        """Take what cache providers have of the results that are not known here."""
        for node in nodes:
            node_class = self.classes.get(node.class_type)
            context = self._cache_context(node)
            if node_class is None or context is None or self._cached(node.id) is not None:
                continue
            self._stop_if_interrupted()
            found = self.services.providers.lookup(context, len(node_class.output_is_list), self.async_calls.wait_for)
            if found is not None:
                self.provided[node.id] = found

    def _cache_context(self, node: Node) -> CacheContext | None:
        key = self.keys.get(node.id)
        return None if key is None else CacheContext(node.id, node.class_type, key.hex())

    def _ask_validators(self) -> None:
        """Raise ValidatorRefused if the validator of a node that the roots need refuses its inputs."""
        needed = dict.fromkeys(self.job.outputs)
        stack = list(needed)
        while stack:
            node = self.graph.nodes[stack.pop()]
            sources = [link.node_id for link in node.links() if link.node_id not in needed]
            needed.update(dict.fromkeys(sources))
            stack += sources
            node_class = self.classes.get(node.class_type)
            validate = None if node_class is None else node_class.implementation.validate
            if node_class is None or validate is None:
                continue
            self.current = node.id
            schema = node_class.implementation.schema
            call = call_for(node, schema, node_class.specs_of(node).declared, self._output_type)
            reason = refusal(answer(call, schema, validate, self.async_calls.wait_for))
            if reason is not None:
                raise ValidatorRefused(f"Custom validation failed for node: {reason}")

    def _output_type(self, link: Link) -> Any:
        node_class = self.classes.get(self.graph.nodes[link.node_id].class_type)
        return None if node_class is None else node_class.implementation.schema.output_type(link.slot)

    def _key(self, node: Node) -> Key:
        node_class = self.classes.get(node.class_type)
        if node_class is None:
            return None
        changed: Any = None
        if node_class.always_changed:
            changed = NEVER
        elif node_class.implementation.fingerprint is not None:
            changed = self._fingerprint(node, node_class, node_class.implementation.fingerprint)
        return node_key(node, node.id if node_class.uses_node_id else None, changed, self.keys)

    def _fingerprint(self, node: Node, node_class: NodeClass, fingerprint: Callable[..., Any]) -> Any:
        """What the class's change detection says, per call; NEVER when it fails."""
        self.current = node.id
        inputs = self.reader.read_constants(node, node_class)
        try:
            values = [
                self.async_calls.wait_for(fingerprint(**node_arguments(node, node_class, arguments)))
                for arguments in calls(inputs.values, is_input_list=node_class.is_input_list)
            ]
        except Exception as error:
            message = exception_message(error, self.secrets).rstrip()
            logger.warning("change detection of node %s (%s) failed: %s", node.id, node.class_type, message)
            return NEVER
        return changed_value(values)

    def _cached(self, node_id: str) -> NodeResult | None:
        if self.provided and node_id in self.provided:
            return self.provided[node_id]
        key = self.keys.get(node_id)
        return None if key is None else self._cache_of(node_id).get(key)

    def _cache_of(self, node_id: str) -> Cache:
        return self.caches.get(node_id, self.services.cache) if self.caches else self.services.cache

    # Node after node

    def _work(self) -> None:
        self.demand.ask(self.job.outputs)
        schedule, async_calls = self.schedule, self.async_calls
        while True:
            node_id = schedule.next()
            if node_id is not None:
                self._visit(node_id)
                if async_calls:
                    async_calls.turn()
            elif async_calls:
                self.current = next(iter(self.awaited))
                async_calls.wait(self.is_interrupted)
                self._stop_if_interrupted()
            else:
                break
            if async_calls:
                self._collect()
        if len(schedule):
            raise self._cycle()
        self._show_cached()

    def _visit(self, node_id: str) -> None:
        """Give a ready node its result, or start it, or find out what else it needs."""
        self.current = node_id
        self.current_inputs = _NO_INPUTS
        self._stop_if_interrupted()
        if node_id in self.expansions:
            self._resolve(node_id, self.expansions.pop(node_id))
            return
        hit = self._cached(node_id)
        if hit is not None:
            self._take(node_id, hit)
        elif not self.demand.ask_again(node_id):
            self._attempt(self.graph.nodes[node_id])

    def _attempt(self, node: Node) -> None:
        node_class = self.classes.get(node.class_type)
        if node_class is None:
            raise NodeError(f"node class {node.class_type!r} is not available here")
        self.emit(NodeStarted(self.graph.ref(node.id)))
        inputs = self.current_inputs = self.reader.read(node, node_class)
        if node_class.implementation.check_lazy is not None:
            wanted = self._wanted(node, node_class, inputs)
            if wanted:
                self.demand.need(node.id, [node.inputs[name] for name in wanted])
                return
        outcomes = self._call(node, node_class, inputs)
        if self.async_calls.any_task(outcomes):
            self.awaited[node.id] = inputs
            self.async_calls.start(node.id, outcomes)
        else:
            self._returned(node.id, node_class, outcomes)

    def _call(self, node: Node, node_class: NodeClass, inputs: NodeInputs) -> list[Any]:
        """Call the node function for each element of its inputs; of asynchronous functions the results are tasks."""
        run = self._instance(node, node_class).run
        is_input_list = node_class.is_input_list
        outcomes: list[Any] = []
        for index, arguments in enumerate(calls(inputs.values, is_input_list=is_input_list)):
            blocker = blocker_in(arguments, is_input_list=is_input_list)
            if blocker is not None:
                if blocker.message is not None:
                    self._tell_blocked(node, blocker.message)
                outcomes.append(blocked(len(node_class.output_is_list)))
                continue
            if index:
                self._stop_if_interrupted()
            token = context.enter(self._context(node.id, index))
            try:
                outcome = run(**node_arguments(node, node_class, arguments))
                kind = type(outcome)
                if kind is not tuple and kind is not dict and inspect.isawaitable(outcome):
                    outcome = self.async_calls.task(outcome)
            finally:
                context.leave(token)
            outcomes.append(outcome)
        return outcomes

    def _wanted(self, node: Node, node_class: NodeClass, inputs: NodeInputs) -> list[str]:
        """Names of unevaluated inputs that the node asks for. Raises NodeError when it asks for one that it lacks."""
        check = node_class.implementation.check_lazy
        assert check is not None
        instance = self._instance(node, node_class)
        wanted: dict[str, None] = {}
        for index, arguments in enumerate(calls(inputs.values, is_input_list=node_class.is_input_list)):
            if blocker_in(arguments, is_input_list=node_class.is_input_list) is not None:
                continue
            token = context.enter(self._context(node.id, index))
            try:
                names = self.async_calls.wait_for(check(instance, lazy_arguments(node, node_class, arguments)))
            finally:
                context.leave(token)
            wanted.update(dict.fromkeys(names or ()))
        for name in wanted:
            if name not in node.inputs:
                raise NodeError(f"{node.class_type} asks for its lazy input {name!r}, but node {node.id} has none")
        return [name for name in wanted if name in inputs.missing]

    def _context(self, node_id: str, call_index: int) -> NodeContext:
        job = self.job
        ref = self.graph.ref(node_id)
        return NodeContext(job.job_id, ref, self.emit, self.is_interrupted, job.preview_method, call_index)

    def _tell_blocked(self, node: Node, message: str) -> None:
        self.emit(Blocked(self.graph.ref(node.id), node.class_type, well_formed(message), list(self.executed)))

    # Results

    def _collect(self) -> None:
        """Take in the results of asynchronous nodes that ended."""
        for node_id, values in self.async_calls.finished():
            self.current = node_id
            self.current_inputs = self.awaited.pop(node_id)
            for value in values:
                if type(value) is Raised:
                    raise value.error
            self._returned(node_id, self._class_of(node_id), values)

    def _returned(self, node_id: str, node_class: NodeClass, outcomes: Sequence[Any]) -> None:
        count = len(node_class.output_is_list)
        if len(outcomes) == 1 and type(outcomes[0]) is tuple:  # nearly all nodes
            self._store(node_id, NodeResult(merge_outputs(outcomes, node_class.output_is_list)))
            return
        returned = [
            outcome if type(outcome) is Returned else read_returned(outcome, node_class.name, count)
            for outcome in outcomes
        ]
        ui = self._ui(node_id, node_class, returned)
        if any(call.expand is not None for call in returned):
            self._expand(node_id, node_class, returned, ui)
        else:
            outputs = merge_outputs([call.outputs for call in returned], node_class.output_is_list)
            self._store(node_id, NodeResult(outputs, ui))

    def _ui(self, node_id: str, node_class: NodeClass, returned: Sequence[Returned]) -> dict[str, list[Any]] | None:
        try:
            return merge_ui([call.ui for call in returned if call.ui is not None])
        except NodeError as error:
            raise NodeError(f"node {node_id} ({node_class.name}) returned what cannot be sent: {error}") from error

    def _store(self, node_id: str, result: NodeResult) -> None:
        """End a node that ran."""
        self.executed.append(node_id)
        self.told.add(node_id)
        key = self.keys.get(node_id)
        if key is not None:
            self._cache_of(node_id).put(key, result)
            if self.services.providers:
                node = self.graph.nodes[node_id]
                context = CacheContext(node_id, node.class_type, key.hex())
                self.services.providers.store(context, result, self.async_calls.wait_for)
        self.emit(NodeDone(self.graph.ref(node_id), result.ui))
        self._record_ui(node_id, result)
        self.demand.done(node_id, result)

    def _take(self, node_id: str, hit: NodeResult) -> None:
        """End a node by its cached result."""
        self.told.add(node_id)
        self.emit(NodeDone(self.graph.ref(node_id), hit.ui, cached=True, show=node_id in self.roots))
        self._record_ui(node_id, hit)
        self.demand.done(node_id, hit)

    def _show_cached(self) -> None:
        """Tell clients the cached ui data of nodes that are no roots but ask for it."""
        for node_id in self.hits:
            hit = self._cached(node_id) if self._class_of(node_id).shows_cached else None
            if hit is not None and hit.ui is not None and node_id not in self.told:
                self.emit(NodeDone(self.graph.ref(node_id), hit.ui, cached=True, show=True))

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
        self.current = node_id
        keys = {key for new in added if (key := self.keys[new]) is not None}
        cache.begin(keys, {(node.id, node.class_type) for node in added.values()})
        if self.services.providers:
            self._ask_providers(added.values())
        pending = PendingExpansion(
            [call if call.expand is None else replace(call, outputs=with_links(call.outputs)) for call in returned], ui
        )
        self.expansions[node_id] = pending
        self._nest_ui(node_id)
        inner_roots = [new for new in added if self._is_output(new)]
        self.roots.update(inner_roots)
        self.demand.use(pending.links())
        self.demand.need(node_id, pending.links())
        self.demand.ask(inner_roots)

    def _nest_ui(self, node_id: str) -> None:
        mine = self.expanded_ui[node_id] = ExpandedUi(node_id)
        parent = self.graph.ref(node_id).parent_id
        if parent is not None and parent in self.expanded_ui:
            self.expanded_ui[parent].nested.append(mine)

    def _resolve(self, node_id: str, pending: PendingExpansion) -> None:
        """The nodes that the outputs name have run: end the node that expanded into them."""

        def values_of(link: Link) -> list[Any]:
            result = self.demand.result(link.node_id)
            assert result is not None
            return slot_values(link, result)

        outputs = resolve(pending.returned, self._class_of(node_id).output_is_list, values_of)
        self._store(node_id, NodeResult(outputs, pending.ui, self.expanded_ui[node_id]))
        self.demand.unuse(pending.links())

    # The end

    def _cycle(self) -> DependencyCycleError:
        """Nodes wait for each other: name them, and blame the node that made it so."""
        cycle = find_cycle(self.schedule.waiting())
        made = next((node_id for node_id in cycle if self.graph.is_expanded(node_id)), None)
        self.current = cycle[0] if made is None else self.graph.ref(made).parent_id
        self.current_inputs = _NO_INPUTS
        return DependencyCycleError([(node_id, self.graph.nodes[node_id].class_type) for node_id in cycle])

    def _interrupted(self) -> Interrupted:
        node_id, class_type = self._stopped_at()
        return Interrupted(node_id, class_type, list(self.executed), self.outputs, self.meta, now_ms())

    def _failed(self, error: BaseException) -> Failed:
        node_id, class_type = self._stopped_at()
        failed = Failed(
            node_id=node_id,
            class_type=class_type,
            message=exception_message(error, self.secrets),
            exception_type=exception_name(error),
            traceback=exception_traceback(error, self.secrets),
            inputs=input_summary(self.current_inputs.values, self.current_inputs.hidden, self.secrets),
            executed=list(self.executed),
            current_outputs=list(dict.fromkeys([*self.hits, *self.executed])),
            outputs=self.outputs,
            meta=self.meta,
            time_ms=now_ms(),
        )
        self._log(failed)
        if is_out_of_memory(error):
            self._drop_values()
            forget(error)
            if self.services.on_out_of_memory is not None:
                self.services.on_out_of_memory()
        return failed

    def _drop_values(self) -> None:
        """Let go of what nodes received and gave.

        The parts of a run refer to each other, so that the garbage collector has to find them, and in a process with
        half a million lasting objects it may take hundreds of runs to look: pictures must not wait for that.
        """
        self.current_inputs = _NO_INPUTS
        self.awaited.clear()
        self.expansions.clear()
        self.provided.clear()
        self.caches.clear()
        self.demand.drop_results()

    def _log(self, failed: Failed) -> None:
        """Tell who looks after the server, and who wrote the node, what clients are told."""
        logger.error(
            "node %s (%s) failed: %s: %s\n%s",
            failed.node_id,
            failed.class_type,
            failed.exception_type,
            failed.message.strip(),
            "".join(failed.traceback).rstrip(),
            extra={"job": self.job.job_id},
        )

    def _stopped_at(self) -> tuple[str, str]:
        """The submitted node at which the run stopped, and its class."""
        if self.current is None:
            return "", ""
        real = self.graph.ref(self.current).real_id
        return real, self.graph.nodes[real].class_type

    def _stop_if_interrupted(self) -> None:
        if self.is_interrupted():
            raise InterruptProcessing

    # Facts about nodes

    def _instance(self, node: Node, node_class: NodeClass) -> NodeInstance:
        if not self.graph.is_expanded(node.id):
            return self.classes.instance(node.id, node_class)
        real_id = self.graph.ref(node.id).real_id
        return self.classes.instance(node.id, node_class, (real_id, self.graph.nodes[real_id].class_type))

    def _class_of(self, node_id: str) -> NodeClass:
        node_class = self.classes.get(self.graph.nodes[node_id].class_type)
        assert node_class is not None
        return node_class

    def _is_output(self, node_id: str) -> bool:
        node_class = self.classes.get(self.graph.nodes[node_id].class_type)
        return node_class is not None and node_class.is_output

    def _is_async(self, node_id: str) -> bool:
        node_class = self.classes.get(self.graph.nodes[node_id].class_type)
        return node_class is not None and node_class.implementation.is_async
