"""Section 8 of the contract: nodes that put graphs in their own place."""

import pytest

from tests.packs.rules.harness import new_key, node, of_type, shown


def test_an_expansion_runs_in_the_same_run_under_ids_of_its_parent(server):
    key = new_key()
    messages = server.watch({"5": node("RuleExpandText", text=key), "show": shown("5")})
    visited = [(data["node"], data["display_node"]) for data in of_type(messages, "executing") if data["node"]]
    assert visited == [("5", "5"), ("5.0.0.1", "5"), ("5.0.0.2", "5"), ("show", "show")]
    assert of_type(messages, "executed")[-1]["output"]["text"] == [f'"{key}?"']


def test_some_elements_of_a_list_expand_and_others_do_not(server):
    key = new_key().replace(" ", "-")
    graph = {
        "words": node("RuleList", words=f"a x1-{key} b x2"),
        "5": node("RuleExpandSome", text=["words", 0]),
        "show": node("RuleShowEach", text=["5", 0]),
    }
    assert server.texts(graph) == ["a", f"<x1-{key}>", "b", "<x2>"]


def test_output_nodes_in_an_expansion_are_roots_and_shown_at_their_parent(server):
    entry = server.run({"5": node("RuleExpandShow", text=new_key(), shown_at=""), "show": shown("5")})
    assert entry["meta"]["5.0.0.1"] == {
        "node_id": "5.0.0.1", "display_node": "5", "parent_node": "5", "real_node_id": "5",
    }  # fmt: skip
    assert entry["outputs"].keys() == {"5.0.0.1", "show"}


def test_an_expanded_node_may_choose_where_it_is_shown(server):
    entry = server.run({"5": node("RuleExpandShow", text=new_key(), shown_at="show"), "show": shown("5")})
    assert entry["meta"]["5.0.0.1"]["display_node"] == "show"


def test_a_cached_expansion_shows_its_outputs_again(server):
    graph = {"5": node("RuleExpandShow", text=new_key(), shown_at=""), "show": shown("5")}
    first, second = server.run(graph), server.run(graph)
    assert first["outputs"] == second["outputs"]


def test_an_id_that_is_taken_is_an_error(server):
    error = server.error({"5": node("RuleExpandTwice", id="6"), "6": node("RuleText", text="x"), "show": shown("5")})
    assert error["node_id"] == "5"
    assert "already in the graph" in error["exception_message"]


def test_an_error_inside_names_the_submitted_node(server):
    error = server.error({"5": node("RuleExpandFail"), "show": shown("5")})
    assert (error["node_id"], error["node_type"]) == ("5", "RuleExpandFail")
    assert error["exception_message"] == "failed inside\n"


def test_a_cycle_that_an_expansion_makes_names_the_node_that_made_it(server):
    error = server.error({"5": node("RuleExpandCycle"), "show": shown("5")})
    assert error["exception_type"] == "graph.DependencyCycleError"
    assert error["node_id"] == "5"


@pytest.mark.parametrize("rounds", [0, 1, 10, 100])
def test_loops_by_recursion(server, rounds):
    graph = {"5": node("RuleLoop", rounds=rounds, total=0), "show": shown("5")}
    assert server.text(graph) == rounds * (rounds + 1) // 2


def test_a_while_loop_in_the_style_of_popular_packs(server):
    graph = {
        "start": node("RuleLoopStart", value=1),
        "body": node("RuleAdd", a=["start", 1], b=["start", 1]),
        "end": node("RuleLoopEnd", flow=["start", 0], value=["body", 0], until=100),
        "show": shown("end"),
    }
    assert server.text(graph) == 128
