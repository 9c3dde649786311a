"""Loops built by nodes that put copies of a part of the graph in their own place."""

import math

import pytest

from tests.packs.popular.harness import constant, shown, solid
from tests.packs.rules.harness import new_key, node, of_type


@pytest.mark.parametrize(
    ("expression", "integer", "real"),
    [("2 ** 10 // 3", "341", "341.0"), ("max(a, 7) / 2", "3", "3.5"), ("-sqrt(16) + a", "-1", "-1.0")],
)
def test_expressions(server, expression, integer, real):
    graph = {"3": node("loopmath expression", expression="1 + 2")}
    graph["1"] = node("loopmath expression", expression=expression, a=["3", 0])
    assert (server.value(graph, "1"), server.value(graph, "1", 1)) == (integer, real)


def test_expressions_over_an_image_and_a_constant(server):
    graph = {"i": solid(), "1": node("loopmath expression", expression="a.width * a.height\n + c", a=["i", 0], c=3)}
    assert server.outputs(graph)["1"] == {"value": [515.0]}


def test_an_expression_that_is_none_fails_with_the_words_of_the_pack(server):
    error = server.error({"1": node("loopmath expression", expression="[1, 2]")})
    assert error["exception_type"] == "NotImplementedError"
    assert "Unsupported expression" in error["exception_message"]


def for_loop(rounds, start=1):
    """`value1` is doubled in each round."""
    return {
        "seed": node("loopmath expression", expression=str(start)),
        "open": node("loopmath forOpen", remaining=rounds, initial1=["seed", 0]),
        "body": node("loopmath expression", expression="a * 2", a=["open", 2]),
        "close": node("loopmath forClose", flow_control=["open", 0], initial1=["body", 0]),
        "s": shown("close"),
    }


@pytest.mark.parametrize("rounds", [1, 3, 10])
def test_a_for_loop(server, rounds):
    assert server.outputs(for_loop(rounds))["s"]["text"] == [str(2**rounds)]


def test_a_longer_loop_after_a_shorter_one(server):
    for rounds in (2, 5, 4):
        assert server.outputs(for_loop(rounds, start=3))["s"]["text"] == [str(3 * 2**rounds)]


def test_rounds_show_themselves_at_the_nodes_of_the_graph(server):
    messages = server.watch(for_loop(4, start=7))
    shown_at = {data["display_node"] for data in of_type(messages, "executing") if data["node"] is not None}
    assert shown_at >= {"open", "body", "close", "s", "seed"}
    values = [data["output"]["value"][0] for data in of_type(messages, "executed") if data["display_node"] == "body"]
    assert values == [14.0, 28.0, 56.0, 112.0]


def while_loop():
    """Doubles `value0` as long as it is below 50, and counts the rounds in `value1`."""
    return {
        "one": node("loopmath expression", expression="1"),
        "zero": node("loopmath expression", expression="0"),
        "open": node("loopmath whileOpen", condition=True, initial0=["one", 0], initial1=["zero", 0]),
        "twice": node("loopmath expression", expression="a * 2", a=["open", 1]),
        "count": node("loopmath expression", expression="a + 1", a=["open", 2]),
        "rest": node("loopmath expression", expression="50 - a", a=["twice", 0]),
        "more": node("loopmath more", value=["rest", 0]),
        "close": node(
            "loopmath whileClose",
            flow_control=["open", 0],
            condition=["more", 0],
            initial0=["twice", 0],
            initial1=["count", 0],
        ),
    }


def test_a_while_loop(server):
    graph = while_loop() | {"a": shown("close"), "b": shown("close", 1)}
    outputs = server.outputs(graph)
    assert (outputs["a"]["text"], outputs["b"]["text"]) == (["64"], ["6"])


def test_a_loop_that_never_begins_blocks_what_follows(server):
    graph = while_loop() | {"a": shown("open", 1)}
    graph["open"]["inputs"]["condition"] = False
    assert "a" not in server.outputs(graph)


def test_what_rounds_have_made_is_collected(server):
    graph = {
        "open": node("loopmath forOpen", remaining=4),
        "add": node("loopmath accumulate", to_add=["open", 1], accumulation=["open", 2]),
        "close": node("loopmath forClose", flow_control=["open", 0], initial1=["add", 0]),
        "list": node("loopmath toList", accumulation=["close", 0]),
        "all": node("ShowText|pt", text=["text", 0]),
        "text": node("Text Concatenate (Prompt Tools)", delimiter=" ", clean_whitespace="true", text_a=["join", 0]),
        "join": node("TextKit_Join", a=["asText", 0]),
        "asText": node("TextKit_Show", value=["list", 0]),
    }
    assert server.outputs(graph)["all"]["text"] == ["4", "3", "2", "1"]
    assert server.value(graph, "list", 1) == "4"


def test_images_are_made_in_a_loop_and_put_together(server):
    graph = {
        "open": node("loopmath forOpen", remaining=3),
        "image": solid(0x010000),
        "add": node("loopmath accumulate", to_add=["image", 0], accumulation=["open", 2]),
        "close": node("loopmath forClose", flow_control=["open", 0], initial1=["add", 0]),
        "list": node("loopmath toList", accumulation=["close", 0]),
        "batch": node("ImageListToBatch+", images=["list", 0]),
    }
    assert len(server.pictures(graph, "batch")) == 3


@pytest.mark.parametrize("n", [1, 5, 20])
def test_recursion(server, n):
    assert server.value({"1": node("loopmath factorial", n=n)}, "1") == str(math.factorial(n))


def test_a_node_that_fails_inside_a_loop_is_named_as_in_the_graph(server):
    graph = for_loop(3, start=1)
    graph["body"]["inputs"]["expression"] = "8 // (a - 4)"
    graph["seed"]["inputs"]["expression"] = "6"  # 6 -> 4 -> a division by zero
    error = server.error(graph)
    assert error["exception_type"] == "ZeroDivisionError"
    assert error["node_id"] == "close"


def test_what_a_node_finds_out_through_the_dynamic_prompt(server):
    graph = {"w": node("loopmath whereabouts"), "s": shown("w"), "t": constant(new_key()), "x": shown("t")}
    assert server.outputs(graph)["s"]["text"] == ["w used by s of 4"]
