"""Torch-free node classes for the engine's tests, and a harness that runs graphs of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inglenook.engine.cache import Cache
from inglenook.engine.catalog import Catalog
from inglenook.engine.events import AnyEvent, End
from inglenook.engine.executor import Executor, Run
from inglenook.engine.graph import Graph
from inglenook.engine.implementation import FunctionNode, NodeImplementation
from inglenook.engine.schema import NodeSchema


def document(
    required: Mapping[str, Any] | None = None,
    *,
    optional: Mapping[str, Any] | None = None,
    hidden: Mapping[str, Any] | None = None,
    output: Sequence[Any] = (),
    lists: Sequence[bool] | None = None,
    output_node: bool = False,
    is_input_list: bool = False,
    has_intermediate_output: bool = False,
    **engine: Any,
) -> dict[str, Any]:
    """An interface document; a bare type name stands for `[name]`."""
    sections = {"required": required, "optional": optional, "hidden": hidden}
    return {
        "input": {
            section: {
                name: spec if section == "hidden" or isinstance(spec, list) else [spec] for name, spec in specs.items()
            }
            for section, specs in sections.items()
            if specs is not None
        },
        "output": list(output),
        "output_name": [str(kind) for kind in output],
        "output_is_list": list(lists or [False] * len(output)),
        "output_node": output_node,
        "is_input_list": is_input_list,
        "has_intermediate_output": has_intermediate_output,
        "engine": engine,
    }


class Toys:
    """Node classes under construction: `add` one, `run` graphs of them, look at `calls`."""

    def __init__(self, cache: Cache | None = None, **executor: Any) -> None:
        self.implementations: dict[str, NodeImplementation] = {}
        self.documents: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.executor = Executor(self.implementations, cache, **executor)
        self.interrupted = False

    def add(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        create: Callable[[], Any] | None = None,
        fingerprint: Callable[..., Any] | None = None,
        check_lazy: Callable[..., Any] | None = None,
        is_async: bool = False,
        **interface: Any,
    ) -> None:
        self.documents[name] = document(**interface)

        def counted(**inputs: Any) -> Any:
            self.calls.append(name)
            return function(**inputs)

        node = FunctionNode(counted)
        self.implementations[name] = NodeImplementation(
            schema=NodeSchema.from_info(name, self.documents[name]),
            create=create or (lambda: node),
            fingerprint=fingerprint,
            check_lazy=check_lazy,
            is_async=is_async,
        )

    def catalog(self, **choices: Sequence[str]) -> Catalog:
        return catalog(self.documents, **choices)

    def run(self, graph: Mapping[str, Any], outputs: Sequence[str] | None = None, **job: Any) -> Story:
        """Run a graph; by default its roots are all its output nodes."""
        parsed = Graph.parse(graph)
        roots = outputs
        if roots is None:
            roots = [node.id for node in parsed.nodes.values() if self.documents[node.class_type]["output_node"]]
        story = Story()
        self.calls.clear()
        story.end = self.executor.execute(
            Run("job", parsed, tuple(roots), **job), story.events.append, lambda: self.interrupted
        )
        assert story.events[-1] is story.end
        return story


@dataclass
class Story:
    """What a run told."""

    events: list[AnyEvent] = field(default_factory=list)
    end: End = None  # type: ignore[assignment]

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def names(self) -> list[str]:
        """Events in short: `Started`, `NodeStarted 1`, ..."""
        return [
            f"{type(event).__name__} {node.node_id}" if (node := getattr(event, "node", None)) else type(event).__name__
            for event in self.events
        ]


def catalog(documents: Mapping[str, Mapping[str, Any]], **choices: Sequence[str]) -> Catalog:
    """A catalog whose lists of choices are given by key (`checkpoints=[...]`); files of the input folder by `image`."""
    return Catalog.from_documents(
        documents,
        lambda source: list(choices.get(source.key.replace(",", "_"), ())),
        lambda value, kind: value in choices.get(kind or "image", ()),
    )


def basic(cache: Cache | None = None) -> Toys:
    """`Text` (a STRING from a widget), `Join` two of them, `Show` (an output node with ui data), `Fail`."""
    toys = Toys(cache)
    toys.add("Text", lambda text: (text,), required={"text": "STRING"}, output=["STRING"])
    toys.add("Join", lambda a, b: (f"{a}{b}",), required={"a": "STRING", "b": "STRING"}, output=["STRING"])
    toys.add("Show", lambda text: {"ui": {"text": [text]}}, required={"text": "STRING"}, output_node=True)

    def fail(text: str) -> tuple[str]:
        raise ValueError(f"cannot use {text}")

    toys.add("Fail", fail, required={"text": "STRING"}, output=["STRING"])
    return toys


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}
