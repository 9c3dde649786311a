"""Whatever a client sends: an answer, and what is accepted runs."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from inglenook.engine.cache import NoCache
from inglenook.engine.events import Succeeded
from inglenook.engine.executor import Executor, Run
from inglenook.engine.graph import Graph, GraphError
from inglenook.engine.implementation import FunctionNode, NodeImplementation
from inglenook.engine.schema import NodeSchema
from inglenook.engine.validation import validate
from tests.engine.test_dynamic import GROWING, MODE, ROWS, SLOT
from tests.engine.test_validation import DOCUMENTS
from tests.engine.toys import catalog, document

CLASSES = {
    **DOCUMENTS,
    "Dynamic": document(optional={"grow": GROWING, "mode": MODE, "slot": SLOT, "rows": ROWS}, output_node=True),
    "Lazy": document(optional={"image": ["IMAGE", {"lazy": True}], "x": ["*", {"rawLink": True}]}, output=["IMAGE"]),
    "List": document(optional={"image": "*"}, output=["IMAGE"], lists=[True], is_input_list=True),
}
IDS = [str(index) for index in range(8)]
NAMES = sorted(
    {name for each in CLASSES.values() for section in each["input"].values() for name in section}
    | {
        "grow.image0",
        "grow.image9",
        "mode.width",
        "mode.how",
        "mode.how.n",
        "slot.strength",
        "rows.0.field",
        "rows.7.x",
    }
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["", "x", "7", "scale", "cat.png"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["__value__", "a"]), inner, max_size=2),
    max_leaves=5,
)
links = st.tuples(st.sampled_from([*IDS, 3, 99]), st.sampled_from([0, 0, 0, 1, 2, -1, 0.0])).map(list)
bodies = st.fixed_dictionaries(
    {"class_type": st.sampled_from(sorted(CLASSES))},
    optional={"inputs": st.dictionaries(st.sampled_from(NAMES), links | values, max_size=5), "_meta": values},
)
GOOD = {"INT": 3, "FLOAT": 0.5, "STRING": "s", "BOOLEAN": True}


@st.composite
def sound_graphs(draw: st.DrawFn) -> dict[str, Any]:
    """Graphs that are mostly right: inputs that the class has, links to earlier nodes."""
    graph: dict[str, Any] = {"0": {"class_type": "Source", "inputs": {}}}
    for index in range(1, draw(st.integers(2, 8))):
        class_type = draw(st.sampled_from(["Filter", "Filter", "Lazy", "List", "Values", "Save", "Save", "Wild"]))
        inputs: dict[str, Any] = {}
        for section, specs in CLASSES[class_type]["input"].items():
            for name, spec in specs.items():
                if section == "required" or draw(st.booleans()):
                    link = [str(draw(st.integers(0, index - 1))), 0]
                    inputs[name] = GOOD[spec[0]] if isinstance(spec[0], str) and spec[0] in GOOD else link
        graph[str(index)] = {"class_type": class_type, "inputs": inputs}
    return graph


graphs = st.dictionaries(st.sampled_from(IDS), bodies, max_size=8)


def executor() -> Executor:
    """Every class gives as many outputs as it declares; a list output gives two values."""

    def implementation(name: str) -> NodeImplementation:
        schema = NodeSchema.from_info(name, CLASSES[name])
        result = tuple([1, 2] if output.is_list else 1 for output in schema.outputs)
        return NodeImplementation(schema, lambda: FunctionNode(lambda **_: {"ui": {"x": [1]}, "result": result}))

    return Executor({name: implementation(name) for name in CLASSES}, NoCache())


EXECUTOR = executor()
CATALOG = catalog(CLASSES, checkpoints=["m"], image=["cat.png"])


@settings(max_examples=200, deadline=None)
@given(graphs | sound_graphs())
def test_any_graph_gets_an_answer_and_accepted_ones_run(given_graph: dict[str, Any]) -> None:
    graph = Graph.parse(given_graph)
    validation = validate(graph, CATALOG)
    json.dumps([validation.error, validation.node_errors], allow_nan=False)
    assert (validation.error is None) == bool(validation.outputs)
    if validation.error is not None:
        return
    stored = json.loads(json.dumps(validation.graph.to_json()))
    again = Graph.parse(stored)
    assert validate(again, CATALOG).outputs == validation.outputs
    end = EXECUTOR.execute(Run("job", again, validation.outputs), lambda _: None, lambda: False)
    assert isinstance(end, Succeeded), end


@given(st.dictionaries(st.text(max_size=2), values) | values)
def test_any_json_is_a_graph_or_a_graph_error(given_json: Any) -> None:
    try:
        validate(Graph.parse(given_json), CATALOG)
    except GraphError as error:
        json.dumps(error.body())
