"""Graphs that nodes build: their ids in a run and outside, and a package that needs no server and no torch."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from comfy_execution.graph import DependencyCycleError, ExecutionBlocker, NodeNotFoundError
from comfy_execution.graph_utils import ExecutionBlocker as SameBlocker
from comfy_execution.graph_utils import GraphBuilder, add_graph_prefix, is_link
from comfy_execution.utils import get_executing_context
from comfy_execution.validation import validate_node_input
from inglenook.engine import blocker
from inglenook.engine.context import NodeContext, running
from inglenook.engine.events import NodeRef
from inglenook.engine.executor import Executor, Run
from inglenook.engine.graph import Graph
from inglenook.engine.implementation import FunctionNode, NodeImplementation
from inglenook.engine.schema import NodeSchema

SOURCE = Path(__file__).parents[3] / "src"


def call(node_id="5", index=0):
    return running(
        NodeContext("job", NodeRef(node_id, node_id, None, node_id), lambda _: None, lambda: False, None, index)
    )


def test_it_imports_outside_a_server_without_torch():
    program = (
        "import comfy_execution.graph, comfy_execution.utils\n"
        "from comfy_execution.graph_utils import GraphBuilder\n"
        "graph = GraphBuilder(); print(graph.node('A', x=1).id)\n"
        "import sys; print(sorted({'torch', 'numpy', 'PIL', 'inglenook.nodes'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines() == [".0.0.1", "[]"]


def test_ids_follow_node_call_and_graph():
    with call("5"):
        first, second = GraphBuilder(), GraphBuilder()
        assert first.node("A").id == "5.0.0.1"
        assert first.node("A").id == "5.0.0.2"
        assert first.node("A", "named").id == "5.0.0.named"
        assert second.node("A").id == "5.0.1.1"
    with call("5", index=2):
        assert GraphBuilder().node("A").id == "5.2.0.1"
    with call("5"):
        assert GraphBuilder().node("A").id == "5.0.0.1"


def test_async_calls_count_for_themselves():
    async def node():
        first = GraphBuilder().prefix
        await asyncio.sleep(0)
        inner = await asyncio.gather(*(asyncio.to_thread(lambda: GraphBuilder().prefix) for _ in range(2)))
        return first, {*inner}

    async def both():
        tasks = []
        for index in range(2):
            with call("7", index):
                tasks.append(asyncio.ensure_future(node()))
        return await asyncio.gather(*tasks)

    zero, one = asyncio.run(both())
    assert zero == ("7.0.0.", {"7.0.1.", "7.0.2."})
    assert one == ("7.1.0.", {"7.1.1.", "7.1.2."})


def test_a_prefix_may_be_chosen():
    assert GraphBuilder("mine.").node("A").id == "mine.1"
    before = GraphBuilder._default
    try:
        GraphBuilder.set_default_prefix("9", 3)
        assert [GraphBuilder().prefix, GraphBuilder().prefix] == ["9.3.0.", "9.3.1."]
        assert GraphBuilder.alloc_prefix("a", 1, 2) == "a.1.2."
        with call("5"):
            assert GraphBuilder().prefix == "5.0.0."
            assert GraphBuilder.alloc_prefix(graph_index=8) == "5.0.8."
            GraphBuilder.set_default_prefix("x", 0, 4)
            assert GraphBuilder().prefix == "x.0.4."
        with call("5"):
            assert GraphBuilder().prefix == "5.0.0."
    finally:
        GraphBuilder._default = before


def test_a_graph_is_built_and_changed():
    graph = GraphBuilder("p.")
    source = graph.node("Load", name="a", unused=None)
    sink = graph.node("Save", images=source.out(0), mask=source.out(1))
    assert graph.node("Other", "1") is source
    assert graph.lookup_node("2") is sink
    assert graph.lookup_node("3") is None
    assert graph.finalize() == {
        "p.1": {"class_type": "Load", "inputs": {"name": "a", "unused": None}},
        "p.2": {"class_type": "Save", "inputs": {"images": ["p.1", 0], "mask": ["p.1", 1]}},
    }
    sink.set_input("extra", 3)
    assert sink.get_input("extra") == 3
    sink.set_input("extra", None)
    sink.set_input("never", None)
    assert sink.get_input("extra") is None
    graph.replace_node_output("1", 0, ["other", 0])
    graph.replace_node_output("1", 1, None)
    assert sink.inputs == {"images": ["other", 0]}
    sink.set_override_display_id("5")
    assert sink.serialize()["override_display_id"] == "5"
    graph.remove_node("1")
    assert list(graph.nodes) == ["p.2"]


def test_links():
    assert is_link(["1", 0])
    for value in (["1"], ["1", 0, 0], [1, 0], ("1", 0), "10", ["1", "0"], ["1", True], None):
        assert not is_link(value)


def test_a_graph_may_get_a_prefix():
    graph = {"1": {"class_type": "A", "inputs": {"x": 1}}, "2": {"class_type": "B", "inputs": {"y": ["1", 0]}}}
    renamed, outputs = add_graph_prefix(graph, (["2", 0], 7), "p.")
    assert renamed == {
        "p.1": {"class_type": "A", "inputs": {"x": 1}},
        "p.2": {"class_type": "B", "inputs": {"y": ["p.1", 0]}},
    }
    assert outputs == (["p.2", 0], 7)
    assert graph["2"]["inputs"] == {"y": ["1", 0]}


def test_names_are_the_engines_own():
    assert ExecutionBlocker is SameBlocker is blocker.ExecutionBlocker
    assert issubclass(NodeNotFoundError, Exception)
    assert issubclass(DependencyCycleError, Exception)


def test_the_call_that_runs_is_known():
    assert get_executing_context() is None
    with call("5", index=1):
        context = get_executing_context()
    assert (context.prompt_id, context.node_id, context.list_index) == ("job", "5", 1)


def test_execution_has_what_packs_import_to_write_nodes(surface):
    execution = surface("execution")
    assert execution.ExecutionBlocker is ExecutionBlocker
    with pytest.raises(AttributeError, match="PromptExecutor"):
        _ = execution.PromptExecutor


def test_an_expansion_runs_in_the_engine():
    def node_class(name, function, **document):
        return NodeImplementation(
            schema=NodeSchema.from_info(name, {"input": {}, "output": [], **document}),
            create=lambda: FunctionNode(function),
        )

    def double(value):
        graph = GraphBuilder()
        added = graph.node("Add", a=value, b=value)
        return {"result": (added.out(0),), "expand": graph.finalize()}

    shown = []
    integer = {"output": ["INT"]}
    executor = Executor(
        {
            "Numbers": node_class("Numbers", lambda: ([1, 2, 3],), output_is_list=[True], **integer),
            "Double": node_class("Double", double, input={"required": {"value": ["INT"]}}, **integer),
            "Add": node_class(
                "Add", lambda a, b: (a + b,), input={"required": {"a": ["INT"], "b": ["INT"]}}, **integer
            ),
            "Show": node_class(
                "Show",
                lambda value: shown.append(value) or {},
                input={"required": {"value": ["INT"]}},
                output_node=True,
            ),
        }
    )
    graph = Graph.parse(
        {
            "1": {"class_type": "Numbers", "inputs": {}},
            "2": {"class_type": "Double", "inputs": {"value": ["1", 0]}},
            "3": {"class_type": "Show", "inputs": {"value": ["2", 0]}},
        }
    )
    events = []
    executor.execute(Run("job", graph, ("3",)), events.append, lambda: False)
    assert shown == [2, 4, 6]
    expanded = {event.node.node_id for event in events if hasattr(event, "node")} - {"1", "2", "3"}
    assert expanded == {"2.0.0.1", "2.1.0.1", "2.2.0.1"}


@pytest.mark.parametrize(
    ("received", "wanted", "possible", "strictly"),
    [
        ("IMAGE", "IMAGE", True, True),
        ("IMAGE", "MASK", False, False),
        ("INT,FLOAT", "FLOAT", True, False),
        ("FLOAT", "INT, FLOAT", True, True),
        ("*", "IMAGE", True, True),
    ],
)
def test_types_are_compared_as_the_server_does(received, wanted, possible, strictly):
    assert validate_node_input(received, wanted) is possible
    assert validate_node_input(received, wanted, strict=True) is strictly
