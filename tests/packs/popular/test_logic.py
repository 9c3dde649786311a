"""Switches: every type, lazy branches, blocked ones, inputs and outputs that the class does not declare."""

import pytest

from tests.packs.popular.harness import constant, shown, solid
from tests.packs.rules.harness import new_key, node, of_type


@pytest.mark.parametrize(
    ("a", "b", "comparison", "result"),
    [(1, 2, "a < b", "True"), ("x", "x", "a == b", "True"), (2.5, 2, "a <= b", "False"), (1, 1, "a != b", "False")],
)
def test_constants_of_any_type_are_compared(server, a, b, comparison, result):
    assert server.value({"1": node("logic compare", a=a, b=b, comparison=comparison)}, "1") == result


@pytest.mark.parametrize(
    ("operation", "result"), [("and", "False"), ("or", "True"), ("xor", "True"), ("not a", "False")]
)
def test_booleans_are_combined(server, operation, result):
    graph = {
        "yes": node("logic isNone"),
        "no": node("logic isNone", any=["yes", 0]),
        "1": node("logic boolean", a=["yes", 0], b=["no", 0], operation=operation),
    }
    assert server.value(graph, "1") == result


def test_any_type_is_shown(server):
    image = {"1": solid(), "s": node("logic showAnything", anything=["1", 0])}
    assert server.outputs(image)["s"]["text"] == ["Tensor (1, 16, 32, 3)"]
    empty = server.outputs({"s": node("logic showAnything")})
    assert empty["s"]["text"] == ["None"]


def test_a_switch_takes_inputs_of_any_name_and_type(server):
    graph = {
        "none": node("Any Switch (logic)"),
        "text": constant("second"),
        "1": node("Any Switch (logic)", any_01=["none", 0], any_07=["text", 0], any_08=["image", 0], other=4),
        "image": solid(),
    }
    assert server.value(graph, "1") == "second"
    del graph["1"]["inputs"]["any_07"]
    assert server.value(graph, "1") == "Tensor (1, 16, 32, 3)"


def test_only_the_branch_that_is_chosen_runs(server):
    graph = {
        "a": constant(new_key()),
        "b": constant(new_key()),
        "1": node("logic ifElse", boolean=False, on_true=["a", 0], on_false=["b", 0]),
        "s": shown("1"),
    }
    ran = {data["node"] for data in of_type(server.watch(graph), "executing")}
    assert ran == {"b", "1", "s", None}
    assert server.outputs(graph)["s"]["text"] == [graph["b"]["inputs"]["text"]]


def test_an_index_chooses_among_lazy_inputs(server):
    graph = {str(i): constant(f"{new_key()} {i}") for i in range(4)}
    values = {f"value{i}": [str(i), 0] for i in range(4)}
    graph |= {"switch": node("logic indexSwitch", index=2, **values), "s": shown("switch")}
    ran = {data["node"] for data in of_type(server.watch(graph), "executing")}
    assert ran == {"2", "switch", "s", None}
    graph["switch"]["inputs"]["index"] = 7
    assert server.error(graph)["exception_type"] == "KeyError"


def test_a_blocked_branch_leaves_nothing_and_the_rest_runs(server):
    graph = {
        "t": constant("free"),
        "gate": node("logic blocker", **{"continue": False, "in": ["t", 0]}),
        "stopped": shown("gate"),
        "s": shown("t"),
    }
    assert set(server.outputs(graph)) == {"s"}
    graph["gate"]["inputs"]["continue"] = True
    assert server.outputs(graph)["stopped"]["text"] == ["free"]


def test_a_block_with_a_message_tells_it(server):
    graph = {
        "t": constant("free"),
        "gate": node("logic blocker", **{"continue": False, "in": ["t", 0], "message": "not today"}),
        "stopped": shown("gate"),
    }
    (error,) = of_type(server.watch(graph), "execution_error")
    assert "not today" in error["exception_message"]
    assert (error["node_id"], error["exception_type"]) == ("stopped", "ExecutionBlocked")


def test_outputs_beyond_the_declared_one(server):
    assert server.info("logic distribute")["output"] == ["*"]
    graph = {"1": node("logic distribute", values="a,b,c")}
    assert [server.value(graph, "1", slot) for slot in range(3)] == ["a", "b", "c"]


def test_a_value_goes_to_one_of_many_outputs(server):
    graph = {"t": constant("here"), "1": node("logic inversedSwitch", select=2, input=["t", 0])}
    graph |= {f"s{slot}": shown("1", slot) for slot in range(4)}
    assert {name: output["text"] for name, output in server.outputs(graph).items()} == {"s1": ["here"]}


def test_a_switched_image_links_to_inputs_of_its_type(server):
    graph = {"i": solid(0xFF0000), "1": node("logic ifElse", boolean=True, on_true=["i", 0])}
    (picture,) = server.pictures(graph, "1")
    assert tuple(picture[0, 0]) == (255, 0, 0)
