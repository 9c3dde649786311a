"""Node classes of the V3 API, run through the real executor and checked by the real validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from inglenook.engine.executor import Executor, Run
from inglenook.engine.graph import Graph
from inglenook.engine.implementation import NodeImplementation
from inglenook.engine.validation import Validation, validate
from inglenook.packs.v3 import io
from inglenook.packs.v3.adapter import v3_document, v3_implementation
from tests.engine.toys import Story, catalog

MODULE = "custom_nodes.acme"


class Text(io.ComfyNode):
    """A STRING from a widget."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema("Text", inputs=[io.String.Input("text")], outputs=[io.String.Output()])

    @classmethod
    def execute(cls, text: str) -> io.NodeOutput:
        return io.NodeOutput(text)


class Show(io.ComfyNode):
    """An output node that tells what it was given."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema("Show", inputs=[io.AnyType.Input("value")], is_output_node=True)

    @classmethod
    def execute(cls, value: Any) -> io.NodeOutput:
        return io.NodeOutput(ui={"value": [value]})


class Nodes:
    """`Text`, `Show` and the classes given; executors keep their cache until `close`."""

    def __init__(self, *classes: type[io.ComfyNode]) -> None:
        self.implementations: dict[str, NodeImplementation] = {}
        self.documents: dict[str, dict[str, Any]] = {}
        for node_class in (Text, Show, *classes):
            implementation = v3_implementation(node_class, MODULE)
            document = v3_document(node_class, MODULE)
            self.implementations[document["name"]] = implementation
            # Documents cross a process as JSON.
            self.documents[document["name"]] = msgspec.json.decode(msgspec.json.encode(document))
        self.executor = Executor(self.implementations)
        self.interrupted = False

    def close(self) -> None:
        self.executor.close()

    def check(self, graph: Mapping[str, Any]) -> Validation:
        return validate(Graph.parse(graph), catalog(self.documents))

    def run(self, graph: Mapping[str, Any], outputs: Sequence[str] | None = None, **job: Any) -> Story:
        """Run a graph; by default its roots are all its output nodes."""
        parsed = Graph.parse(graph)
        roots = outputs or [node.id for node in parsed.nodes.values() if self.documents[node.class_type]["output_node"]]
        story = Story()
        story.end = self.executor.execute(
            Run("job", parsed, tuple(roots), **job), story.events.append, lambda: self.interrupted
        )
        return story

    def value(self, class_type: str, slot: int = 0, /, **inputs: Any) -> Any:
        """What `Show` is given by an output of one node of `class_type`; `t` is a linkable Text "linked"."""
        graph = {
            "t": {"class_type": "Text", "inputs": {"text": "linked"}},
            "n": {"class_type": class_type, "inputs": inputs},
            "s": {"class_type": "Show", "inputs": {"value": ["n", slot]}},
        }
        end = self.run(graph).end
        assert hasattr(end, "outputs"), end
        assert "s" in end.outputs, end
        return end.outputs["s"]["value"][0]


def error_of(story: Story) -> str:
    """The message of a failed run."""
    return str(getattr(story.end, "message", story.end))
