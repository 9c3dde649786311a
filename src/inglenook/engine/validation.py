"""Whether a graph can run, told in ComfyUI's words; and the graph with its constants converted.

First every node must have a known class. Then each root (an output node) and its linked ancestors are checked, each
node once; roots that fail, or that depend on a node that fails, are dropped. No recursion over the graph, and a cost
linear in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inglenook.engine import problems
from inglenook.engine.catalog import Catalog
from inglenook.engine.convert import CONVERTED_TYPES, convert, storable
from inglenook.engine.dependents import dependent_roots
from inglenook.engine.dynamic import plain_inputs
from inglenook.engine.graph import Graph, Link, ListConstant, Node, link_parts
from inglenook.engine.problems import LONG_LIST, Problem
from inglenook.engine.schema import ChoiceSource, InputSpec, NodeSchema
from inglenook.engine.types import is_compatible
from inglenook.engine.validators import ValidatorAnswer, ValidatorCall, call_for
from inglenook.engine.values import shorten

_SHOWN_LINES = 100
"""Most problems of output nodes that the overall error repeats."""


@dataclass(frozen=True, slots=True)
class Validation:
    """What is right and wrong with a graph. It can run when `error` is None, even if `node_errors` is not empty."""

    graph: Graph
    """With converted constants in the nodes that were checked."""
    outputs: tuple[str, ...]
    """Roots that can run, in graph order."""
    error: dict[str, Any] | None
    """The `error` of ComfyUI's 400 answer."""
    node_errors: dict[str, dict[str, Any]]
    """Node id -> `{"errors": [...], "dependent_outputs": [...], "class_type": ...}`."""
    questions: tuple[ValidatorCall, ...] = ()
    """What the classes' own validators were not asked yet; with their answers, validate again."""


def validate(
    graph: Graph,
    catalog: Catalog,
    *,
    targets: Sequence[str] | None = None,
    answers: Mapping[str, ValidatorAnswer] | None = None,
) -> Validation:
    """Check `graph` against the classes of `catalog`; with `targets`, only those output nodes are roots.

    answers: by node id, what the validators said to the `questions` of a validation before.
    """
    unknown = next((node for node in graph.nodes.values() if node.class_type not in catalog), None)
    if unknown is not None:
        return Validation(graph, (), _unknown_class(unknown), {})
    roots = _roots(graph, catalog, targets)
    if not roots:
        return Validation(graph, (), _error("prompt_no_outputs", "Prompt has no outputs", ""), {})
    check = _Check(graph, catalog, answers or {})
    for root in roots:
        check.visit(root)
    good = tuple(root for root in roots if check.verdicts[root])
    error = None if good else _all_failed(roots, check)
    node_errors = _node_errors(graph, roots, check) if check.problems else {}
    return Validation(check.converted(), good, error, node_errors, tuple(check.questions))


def _error(type: str, message: str, details: str, extra_info: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": type, "message": message, "details": details, "extra_info": extra_info or {}}


def _unknown_class(node: Node) -> dict[str, Any]:
    name = shorten(node.title or node.class_type, 100)
    return _error(
        "missing_node_type",
        f"Node '{name}' not found. The node pack that provides it may not be installed.",
        f"Node ID '#{shorten(node.id, 100)}'",
        {
            "node_id": node.id,
            "class_type": shorten(node.class_type, 100),
            "node_title": None if node.title is None else shorten(node.title, 100),
        },
    )


def _roots(graph: Graph, catalog: Catalog, targets: Sequence[str] | None) -> list[str]:
    wanted = None if targets is None else {shorten(target, 10_000) for target in targets}
    return [
        node.id
        for node in graph.nodes.values()
        if (schema := catalog.get(node.class_type)) is not None
        and schema.is_output
        and (wanted is None or node.id in wanted)
    ]


def _all_failed(roots: Sequence[str], check: _Check) -> dict[str, Any]:
    lines: list[str] = []
    for root in roots:
        lines += [f"{problem['message']}: {problem['details']}" for problem in check.problems.get(root, ())]
        if len(lines) > _SHOWN_LINES:
            lines[_SHOWN_LINES:] = ["..."]
            break
    return _error("prompt_outputs_failed_validation", "Prompt outputs failed validation", "\n".join(lines))


def _node_errors(graph: Graph, roots: Sequence[str], check: _Check) -> dict[str, dict[str, Any]]:
    failed = [root for root in roots if not check.verdicts[root]]
    dependents = dependent_roots(graph, check.order, failed, check.problems, cyclic=check.found_cycle)
    return {
        node_id: {
            "errors": reasons,
            "dependent_outputs": dependents[node_id],
            "class_type": graph.nodes[node_id].class_type,
        }
        for node_id, reasons in check.problems.items()
    }


@dataclass(slots=True)
class _Frame:
    """A node whose sources are being visited."""

    node: Node
    schema: NodeSchema
    declared: Mapping[str, InputSpec]
    """Its plain inputs."""
    links: list[tuple[str, Link]]
    position: int = 0
    good: bool = True


class _Check:
    """Visits nodes depth first with an explicit path."""

    def __init__(self, graph: Graph, catalog: Catalog, answers: Mapping[str, ValidatorAnswer]) -> None:
        self.graph = graph
        self.catalog = catalog
        self.answers = answers
        self.questions: list[ValidatorCall] = []
        self.verdicts: dict[str, bool] = {}
        """Node id -> whether it and all its ancestors are right."""
        self.problems: dict[str, list[Problem]] = {}
        self.order: list[str] = []
        """Visited nodes, sources first."""
        self.found_cycle = False
        self._path: list[_Frame] = []
        self._depth: dict[str, int] = {}
        self._changed: dict[str, Node] = {}
        self._choices: dict[ChoiceSource, tuple[tuple[str, ...], frozenset[str]]] = {}
        self._configs: dict[tuple[str, str], Any] = {}

    def converted(self) -> Graph:
        """The graph with converted constants."""
        return Graph({**self.graph.nodes, **self._changed}) if self._changed else self.graph

    def visit(self, root: str) -> None:
        if root in self.verdicts:
            return
        self._enter(root, None)
        path = self._path
        while path:
            frame = path[-1]
            if frame.position == len(frame.links):
                self._leave(frame)
                continue
            link = frame.links[frame.position][1]
            verdict = self.verdicts.get(link.node_id)
            if verdict is None and link.node_id not in self._depth:
                self._enter(link.node_id, frame)
                continue
            if verdict is None:
                self._cycle(link.node_id)
            frame.good = frame.good and bool(verdict)
            frame.position += 1

    def _enter(self, node_id: str, consumer: _Frame | None) -> None:
        node = self.graph.nodes[node_id]
        schema = self.catalog.get(node.class_type)
        assert schema is not None
        frame = _Frame(node, schema, schema.inputs, [])
        self._depth[node_id] = len(self._path)
        self._path.append(frame)
        inputs = _NodeCheck(self, frame, consumer).run()
        if inputs is not None:
            self._changed[node_id] = Node(node.id, node.class_type, inputs, node.title, node.extra)

    def _leave(self, frame: _Frame) -> None:
        node_id = frame.node.id
        self._path.pop()
        del self._depth[node_id]
        self.order.append(node_id)
        self.verdicts[node_id] = frame.good and node_id not in self.problems

    def _cycle(self, node_id: str) -> None:
        """The path comes back to `node_id`: told once per such node."""
        self.found_cycle = True
        start = self._depth[node_id]
        if any(problem["type"] == "dependency_cycle" for problem in self.problems.get(node_id, ())):
            return
        shown = self._path[start : start + 100]
        # The path goes from consumers to sources; the cycle is told in the direction in which values flow back.
        cycle = [(frame.node.id, frame.node.class_type) for frame in shown]
        self.report(node_id, problems.dependency_cycle(node_id, cycle, len(self._path) - start))

    def output_type(self, link: Link) -> Any:
        """The type of the output that `link` leads to; None where there is none."""
        schema = self.catalog.get(self.graph.nodes[link.node_id].class_type)
        return None if schema is None else self.catalog.type_of(schema.output_type(link.slot))

    def report(self, node_id: str, problem: Problem) -> None:
        self.problems.setdefault(node_id, []).append(problem)

    def choices(self, source: ChoiceSource) -> tuple[tuple[str, ...], frozenset[str]]:
        """The choices of `source` as a list and as a set, made once per validation."""
        found = self._choices.get(source)
        if found is None:
            listed = self.catalog.choices(source)
            found = self._choices[source] = (listed, frozenset(listed))
        return found

    def config(self, schema: NodeSchema, spec: InputSpec) -> Any:
        """An input's declaration as errors repeat it: None for a long list of choices."""
        declared = _declared_choices(spec)
        if declared is not None:
            length = len(self.choices(declared)[0] if isinstance(declared, ChoiceSource) else declared)
            if length > LONG_LIST:
                return None
        if schema.has_dynamic_inputs:  # one name may stand for different inputs there
            return self.catalog.input_config(schema, spec)
        key = (schema.class_type, spec.name)
        if key not in self._configs:
            self._configs[key] = self.catalog.input_config(schema, spec)
        return self._configs[key]


class _NodeCheck:
    """Checks one node's own inputs; its ancestors are the caller's business."""

    def __init__(self, check: _Check, frame: _Frame, consumer: _Frame | None) -> None:
        self.check = check
        self.catalog = check.catalog
        self.node = frame.node
        self.schema = frame.schema
        self.frame = frame
        self.consumer = consumer
        self.changed: dict[str, Any] | None = None

    def run(self) -> dict[str, Any] | None:
        """Report problems, list the links in the frame; return the inputs if one of them was converted."""
        if not self.node.has_inputs:
            self.exception("KeyError", "'inputs'")
            return None
        given = self.node.inputs
        if self.schema.has_dynamic_inputs:
            plain = plain_inputs(self.schema.inputs, given)
            self.frame.declared = plain.specs
            for name, text in plain.invalid:
                self.report(problems.invalid_dynamic_input(name, text))
        declared = self.frame.declared
        for name, spec in declared.items():
            if name in given:
                self.input(name, spec, given[name])
            elif spec.required:
                self.report(problems.input_missing(name.rpartition(".")[2] if self.schema.has_dynamic_inputs else name))
        for name, value in given.items():
            if type(value) is Link and name not in declared:
                self.frame.links.append((name, value))
        if self.schema.has_validator:
            self.ask_validator()
        return self.changed

    def ask_validator(self) -> None:
        """Report what the class's own validator says, or that it is still to be asked."""
        node = self.node
        answer = self.check.answers.get(node.id)
        if answer is None:
            if node.id not in self.check.problems:
                converted = node if self.changed is None else Node(node.id, node.class_type, self.changed)
                question = call_for(converted, self.schema, self.frame.declared, self.check.output_type)
                self.check.questions.append(question)
            return
        if answer.exception_type is not None:
            self.exception(answer.exception_type, answer.exception_message, answer.traceback)
        asked = call_for(node, self.schema, self.frame.declared, self.check.output_type).inputs
        for name in (*asked, "input_types") if self.schema.checks_types else asked:
            for result in answer.results:
                if result is not True:
                    self.report(problems.validator_refused(name, result or None))

    def report(self, problem: Problem) -> None:
        self.check.report(self.node.id, problem)

    def config(self, spec: InputSpec) -> Any:
        """The declaration as errors repeat it: None for a long list of choices."""
        return self.check.config(self.schema, spec)

    def exception(self, error_type: str, text: str, traceback: Sequence[str] = ()) -> None:
        """A fault that the reference meets as an exception, in the form that depends on how the node was reached."""
        if self.consumer is None:
            self.report(problems.root_exception(error_type, text, traceback))
            return
        name, link = self.consumer.links[self.consumer.position]
        spec = self.consumer.declared.get(name)
        config = None if spec is None else self.check.config(self.consumer.schema, spec)
        self.report(problems.inner_exception(name, config, link, error_type, text, traceback))

    def input(self, name: str, spec: InputSpec, value: Any) -> None:
        if type(value) is Link:
            self.frame.links.append((name, value))
            self.link(name, spec, value)
        elif isinstance(value, list) and type(value) is not ListConstant:
            self.broken_link(name, spec, value)
        else:
            self.constant(name, spec, value)

    def broken_link(self, name: str, spec: InputSpec, value: list[Any]) -> None:
        parts = link_parts(value)
        if parts is None:
            self.report(problems.bad_link(name, self.config(spec), value))
        else:
            self.exception("KeyError", repr(shorten(parts[0])))

    def link(self, name: str, spec: InputSpec, link: Link) -> None:
        source = self.check.graph.nodes[link.node_id]
        schema = self.catalog.get(source.class_type)
        assert schema is not None
        received = schema.output_type(link.slot)
        if received is None:
            owner = f"node {shorten(source.id, 60)} ({source.class_type}) has {len(schema.outputs)} outputs"
            self.exception("IndexError", f"tuple index out of range: {owner}, no slot {link.slot}")
            return
        if self.schema.checks_types:
            return
        if received == spec.type:
            return
        received, wanted = self.catalog.type_of(received), self.catalog.type_of(spec.type)
        if not is_compatible(received, wanted):
            self.report(problems.type_mismatch(name, self.config(spec), link, received, wanted))

    def constant(self, name: str, spec: InputSpec, given: Any) -> None:
        value = _unwrap(given)
        if spec.type in CONVERTED_TYPES:
            assert isinstance(spec.type, str)
            try:
                value = convert(spec.type, value)
            except (TypeError, ValueError, OverflowError) as error:
                self.report(problems.not_convertible(name, self.config(spec), value, spec.type, shorten(str(error))))
                return
        if value is not given:
            self.replace(name, value)
        if self.validated(name, spec, value):
            unstorable = storable(value)
        else:
            unstorable = None if self.in_range(name, spec, value) is False else storable(value)
            self.in_choices(name, spec, value)
        if unstorable is not None:
            self.report(problems.not_convertible(name, self.config(spec), value, str(spec.type), unstorable))

    def replace(self, name: str, value: Any) -> None:
        if self.changed is None:
            self.changed = dict(self.node.inputs)
        self.changed[name] = value

    def validated(self, name: str, spec: InputSpec, value: Any) -> bool:
        """Whether the class's own validator answers for this input; reports what a validator given as data refuses."""
        message = self.schema.file_inputs.get(name)
        if message is not None and not self.catalog.file_exists(value, _media_kind(spec)):
            self.report(problems.validator_refused(name, message.replace("{value}", shorten(value))))
        return self.schema.validates_all or name in self.schema.validated_inputs

    def in_range(self, name: str, spec: InputSpec, value: Any) -> bool:
        if not isinstance(value, (int, float)):
            return True
        for key, too_small in (("min", True), ("max", False)):
            bound = spec.options.get(key)
            if not isinstance(bound, (int, float)):
                continue
            if value < bound if too_small else value > bound:
                self.report(problems.out_of_range(name, self.config(spec), value, bound, too_small=too_small))
                return False
        return True

    def in_choices(self, name: str, spec: InputSpec, value: Any) -> None:
        declared = _declared_choices(spec)
        if declared is None or self.schema.takes_any_choice:
            return
        listed, known = self.check.choices(declared) if isinstance(declared, ChoiceSource) else (declared, declared)
        many = spec.options.get("multiselect") or spec.options.get("multi_select")
        for item in value if many and isinstance(value, list) else (value,):
            if not _contains(known, item):
                self.report(problems.not_in_list(name, self.config(spec), item, listed))
                return


def _unwrap(value: Any) -> Any:
    if type(value) is dict and "__value__" in value:
        inner = value["__value__"]
        return ListConstant(inner) if isinstance(inner, list) else inner
    return value


def _declared_choices(spec: InputSpec) -> ChoiceSource | tuple[Any, ...] | None:
    """The valid values of a combo; None for other inputs and for lists that clients fetch."""
    if isinstance(spec.type, (tuple, ChoiceSource)):
        return spec.type
    if spec.type != "COMBO" or spec.options.get("remote") or spec.options.get("remote_combo"):
        return None
    return spec.choices


def _media_kind(spec: InputSpec) -> str:
    declared = _declared_choices(spec)
    return declared.key if isinstance(declared, ChoiceSource) and declared.kind == "input" else ""


def _contains(choices: Any, item: Any) -> bool:
    try:
        return item in choices
    except TypeError:  # a dict or list, asked of a set
        return False
