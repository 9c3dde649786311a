"""Section 5 of the contract: inputs that are computed only when they are asked for."""

import pytest

from tests.packs.rules.harness import new_key, node, of_type, shown


@pytest.mark.parametrize("kind", ["RuleSwitch", "RuleSwitchAsync"])
def test_the_branch_that_is_not_chosen_never_runs(server, kind):
    yes, no = new_key(), new_key()
    graph = {
        "yes": node("RuleText", text=yes),
        "no": node("RuleFail", text=no),
        "switch": node(kind, first=True, on_true=["yes", 0], on_false=["no", 0]),
        "show": shown("switch"),
    }
    messages = server.watch(graph)
    visited = [data["node"] for data in of_type(messages, "executing")]
    assert "no" not in visited
    assert visited.count("switch") == 2  # asked, then run
    assert of_type(messages, "executed")[0]["output"]["text"] == [f'"{yes}"']


def test_inputs_are_asked_for_one_after_another(server):
    key = new_key()
    graph = {
        "a": node("RuleText", text=key),
        "b": node("RuleText", text="stop"),
        "c": node("RuleFail", text="never asked"),
        "1": node("RuleLazySteps", a=["a", 0], b=["b", 0], c=["c", 0]),
        "show": shown("1"),
    }
    assert server.text(graph) == f'{{"a": "{key}", "b": "stop", "c": null}}'


def test_a_lazy_input_that_nobody_asked_for_is_none(server):
    graph = {"1": node("RuleText", text=new_key()), "2": node("RuleLazyUnasked", text=["1", 0]), "show": shown("2")}
    assert server.text(graph) == "null"


def test_a_lazy_input_that_somebody_else_computed_is_there(server):
    key = new_key()
    graph = {
        "1": node("RuleText", text=key),
        "first": shown("1"),
        "2": node("RulePair", a=["1", 0], b=["3", 0]),
        "3": node("RuleLazyUnasked", text=["1", 0]),
        "show": shown("2"),
    }
    assert server.text(graph) == f'{key}"{key}"'


def test_a_lazy_constant_is_just_there(server):
    assert server.text({"1": node("RuleLazyUnasked", text="here"), "show": shown("1")}) == '"here"'


def test_a_node_that_takes_lists_sees_none_in_a_list(server):
    key = new_key()
    graph = {"1": node("RuleText", text=key), "2": node("RuleLazyList", text=["1", 0]), "show": shown("2")}
    assert server.text(graph) == f'["{key}"]'


def test_asking_for_an_input_that_the_node_lacks_is_an_error(server):
    error = server.error({"1": node("RuleLazyAbsent", text="x"), "show": shown("1")})
    assert error["node_id"] == "1"
    assert "nowhere" in error["exception_message"]


def test_a_raw_link_reaches_the_node_and_its_source_is_not_lost(server):
    graph = {"1": node("RuleText", text=new_key()), "2": node("RuleRawLink", source=["1", 0]), "show": shown("2")}
    assert server.text(graph) == '["1", 0]'
