"""Sections 2 and 4 of the contract: what is checked before a graph runs."""

import pytest

from tests.packs.rules.harness import node, shown


def reasons(body, node_id):
    return [error["type"] for error in body["node_errors"][node_id]["errors"]]


def test_one_unknown_class_refuses_the_whole_graph(server):
    graph = {"1": node("RuleText", text="a"), "show": shown("1"), "side": node("NoSuchClass")}
    assert server.refused(graph)["error"]["type"] == "missing_node_type"


def test_partial_targets_choose_the_roots(server):
    graph = {"1": node("RuleText", text="a"), "a": shown("1"), "b": shown("1")}
    assert server.run(graph, partial_execution_targets=["b"])["outputs"].keys() == {"b"}
    assert server.refused(graph, partial_execution_targets=[])["error"]["type"] == "prompt_no_outputs"


def test_roots_that_fail_are_dropped_and_the_others_run(server):
    graph = {"good": node("RuleDefault"), "bad": node("RuleShow"), "text": node("RuleText", text="x")}
    reply = server.post("/prompt", {"prompt": graph})
    assert reply.status_code == 200
    assert reasons(reply.json(), "bad") == ["required_input_missing"]
    assert server.wait(reply.json()["prompt_id"])["outputs"].keys() == {"good"}


def test_an_absent_optional_input_has_the_default_of_the_function(server):
    assert server.text({"show": node("RuleDefault")}) == "of the function"


@pytest.mark.parametrize(
    ("slot", "given", "wanted"),
    [
        (0, 3.9, 3),
        (0, "7", 7),
        (0, True, 1),
        (1, "0.25", 0.25),
        (1, 1, 1.0),
        (2, "false", True),
        (2, "", False),
        (2, 0, False),
    ],
)
def test_constants_are_converted_to_the_declared_type(server, slot, given, wanted):
    inputs = {"integer": 1, "number": 0.5, "flag": False}
    name = list(inputs)[slot]
    graph = {"1": node("RuleNumber", **{**inputs, name: given}), "show": shown("1", slot)}
    entry = server.run(graph)
    assert entry["outputs"]["show"]["text"] == [{True: "true", False: "false"}[wanted] if slot == 2 else str(wanted)]
    assert entry["prompt"][2]["1"]["inputs"][name] == wanted


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("integer", "seven", "invalid_input_type"),
        ("integer", 11, "value_bigger_than_max"),
        ("integer", -11, "value_smaller_than_min"),
        ("number", 1.5, "value_bigger_than_max"),
    ],
)
def test_what_cannot_be_converted_or_is_out_of_range_is_refused(server, name, given, reason):
    inputs = {"integer": 1, "number": 0.5, "flag": False, name: given}
    assert reasons(server.refused({"1": node("RuleNumber", **inputs), "show": shown("1")}), "1") == [reason]


def test_bounds_are_allowed_values(server):
    graph = {"1": node("RuleNumber", integer=10, number=0.0, flag=False), "show": shown("1")}
    assert server.text(graph) == 10


@pytest.mark.parametrize(("name", "given"), [("colour", "blue"), ("shade", "black")])
def test_a_value_must_be_among_the_choices(server, name, given):
    inputs = {"colour": "red", name: given}
    assert reasons(server.refused({"1": node("RuleChoice", **inputs), "show": shown("1")}), "1") == [
        "value_not_in_list"
    ]


def test_a_constant_reaches_an_input_of_another_type_unchecked(server):
    assert server.text({"show": node("RuleShowImage", value="no picture")}) == "no picture"


@pytest.mark.parametrize(
    ("kind", "source", "slot", "fits"),
    [
        ("RuleShow", "number", 0, True),
        ("RuleShowOdd", "number", 1, True),
        ("RuleShowStar", "number", 2, True),
        ("RuleShowUnion", "number", 0, True),
        ("RuleShowUnion", "text", 0, True),
        ("RuleShowUnion", "number", 1, False),
        ("RuleShowImage", "text", 0, False),
        ("RuleShowImage", "wild", 0, True),
        ("RuleShowChoice", "choice", 0, True),
        ("RuleShowChoice", "text", 0, False),
    ],
)
def test_types_of_links(server, kind, source, slot, fits):
    graph = {
        "text": node("RuleText", text="red"),
        "number": node("RuleNumber", integer=1, number=0.5, flag=False),
        "choice": node("RuleChoice", colour="red"),
        "wild": node("RuleWild", value="anything"),
        "show": shown(source, slot, kind),
    }
    if fits:
        assert server.run(graph)["status"]["completed"]
    else:
        assert reasons(server.refused(graph), "show") == ["return_type_mismatch"]


def test_outputs_without_end_can_be_linked(server):
    graph = {"1": node("RuleManyOutputs"), "show": shown("1", 2)}
    assert server.text(graph) == "third"
    assert "no slot 7" in server.error({"1": node("RuleManyOutputs"), "show": shown("1", 7)})["exception_message"]


def test_inputs_of_any_name_reach_a_node_that_declares_that(server):
    graph = {"1": node("RuleText", text="one"), "2": node("RuleJoin", a=["1", 0], anything="two"), "show": shown("2")}
    assert server.text(graph) == "a=one+anything=two"


def test_a_static_cycle_is_refused_with_its_nodes(server):
    graph = {"a": node("RulePair", a="x", b=["b", 0]), "b": node("RulePair", a="x", b=["a", 0]), "show": shown("a")}
    body = server.refused(graph)
    errors = [error for found in body["node_errors"].values() for error in found["errors"]]
    assert [error["type"] for error in errors] == ["dependency_cycle"]
    assert set(errors[0]["extra_info"]["cycle_nodes"]) == {"a", "b"}


# Validators of the classes


def test_a_validator_answers_for_the_inputs_that_it_names(server):
    assert server.text({"show": node("RuleValidated", number=99, text="x")}) == "99 x"  # beyond its max


@pytest.mark.parametrize(
    ("kind", "inputs", "details"),
    [
        ("RuleValidated", {"number": 13, "text": ""}, "number - thirteen is unlucky"),
        ("RuleValidated", {"number": 12, "text": ""}, "number"),
        ("RuleValidatedAsync", {"number": 13, "text": ""}, "number - thirteen is unlucky"),
    ],
)
def test_a_validator_refuses_with_or_without_a_reason(server, kind, inputs, details):
    body = server.refused({"show": node(kind, **inputs)})
    (error,) = body["node_errors"]["show"]["errors"]
    assert (error["type"], error["details"]) == ("custom_validation_failed", details)


def test_a_validator_with_kwargs_sees_every_input_and_answers_for_all(server):
    assert server.text({"show": node("RuleValidatedAll", number=99, text="x")}) == "99 x"
    body = server.refused({"show": node("RuleValidatedAll", number=1, text="bad")})
    details = [error["details"] for error in body["node_errors"]["show"]["errors"]]
    assert details == [f"{name} - bad among ['number', 'text']" for name in ("number", "text")]


def test_a_validator_that_raises_is_told_as_such(server):
    (error,) = server.refused({"show": node("RuleValidated", number=14, text="")})["node_errors"]["show"]["errors"]
    assert error["type"] == "exception_during_validation"
    assert error["extra_info"]["exception_type"] == "ValueError"
    assert "fourteen" in error["details"]


def test_linked_inputs_are_none_for_a_validator(server):
    graph = {
        "1": node("RuleNumber", integer=5, number=0, flag=False),
        "show": node("RuleValidated", number=["1", 0], text=""),
    }
    assert server.run(graph)["outputs"]["show"]["text"] == ["5 "]


def test_a_validator_that_takes_types_switches_the_check_of_links_off(server):
    graph = {"1": node("RuleText", text="a"), "show": shown("1", 0, "RuleValidatedTypes")}
    assert server.text(graph) == "a"
    graph = {"1": node("RuleNumber", integer=1, number=0, flag=False), "show": shown("1", 0, "RuleValidatedTypes")}
    (error,) = server.refused(graph)["node_errors"]["show"]["errors"]
    assert error["type"] == "custom_validation_failed"


def test_a_validator_answers_while_a_graph_runs(server):
    running = server.submit({"1": node("RuleSteps", steps=10_000, seconds=3600.0), "show": shown("1")})
    server.until_running(running)
    body = server.refused({"show": node("RuleValidated", number=13, text="")})
    assert body["error"]["type"] == "prompt_outputs_failed_validation"
    assert server.get("/queue").json()["queue_running"]
    server.post("/interrupt")
    server.wait(running)
