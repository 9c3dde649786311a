"""Every error type of the contract, with its message, details and fields."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from inglenook.engine.graph import Graph, ListConstant
from inglenook.engine.validation import Validation, validate
from inglenook.engine.validators import ValidatorAnswer
from tests.engine.toys import catalog, document, node

NUMBERS = [f"n{index}" for index in range(30)]
DOCUMENTS = {
    "Source": document(output=["IMAGE", "INT", "STRING"]),
    "Combo": document(output=[["a", "b"]]),
    "Any": document(output=["*"]),
    "Filter": document({"image": "IMAGE"}, optional={"size": ["INT", {"min": 1, "max": 10}]}, output=["IMAGE"]),
    "Values": document(
        optional={
            "int": ["INT", {"min": -5, "max": 100}],
            "free": ["INT"],
            "float": ["FLOAT", {"min": 0.0, "max": 1.0}],
            "any_float": ["FLOAT"],
            "text": "STRING",
            "flag": "BOOLEAN",
            "old": [["a", "b", 3]],
            "new": ["COMBO", {"options": ["x", "y"]}],
            "many": ["COMBO", {"options": ["x", "y"], "multiselect": True}],
            "long": [NUMBERS],
            "files": [{"files": "checkpoints"}],
            "fetched": ["COMBO", {"options": [], "remote": {"route": "/x"}}],
            "image": "IMAGE",
        },
        output=["IMAGE"],
    ),
    "LoadImage": document(
        {"image": [{"input": "image"}, {"image_upload": True}]},
        output=["IMAGE"],
        file_inputs={"image": "Invalid image file: {value}"},
    ),
    "Wild": document({"x": "*"}, output_node=True),
    "Save": document({"images": "IMAGE"}, optional={"prefix": "STRING"}, output_node=True),
    "Preview": document({"images": "IMAGE"}, output_node=True),
}


def check(graph: dict[str, Any], targets: list[str] | None = None, **answers: ValidatorAnswer) -> Validation:
    chosen = catalog(DOCUMENTS, checkpoints=["model.safetensors"], image=["cat.png"])
    result = validate(Graph.parse(graph), chosen, targets=targets, answers=answers)
    msgspec.json.encode([result.error, result.node_errors])
    return result


def reasons(result: Validation, node_id: str) -> list[dict[str, Any]]:
    return result.node_errors[node_id]["errors"]


def only(result: Validation, node_id: str) -> dict[str, Any]:
    (reason,) = reasons(result, node_id)
    return reason


def with_values(**inputs: Any) -> dict[str, Any]:
    return {"v": node("Values", **inputs), "out": node("Save", images=["v", 0])}


# Whole graphs


def test_good_graph_has_its_outputs_in_graph_order() -> None:
    result = check({"9": node("Save", images=["1", 0]), "1": node("Source"), "3": node("Preview", images=["1", 0])})
    assert result.error is None
    assert result.outputs == ("9", "3")
    assert result.node_errors == {}


@pytest.mark.parametrize("graph", [{}, {"1": node("Source")}])
def test_no_outputs(graph: dict[str, Any]) -> None:
    result = check(graph)
    assert result.error == {
        "type": "prompt_no_outputs",
        "message": "Prompt has no outputs",
        "details": "",
        "extra_info": {},
    }
    assert result.node_errors == {}


def test_targets_restrict_the_roots() -> None:
    graph = {"1": node("Source"), "2": node("Save", images=["1", 0]), "3": node("Save")}
    assert check(graph, ["2"]).outputs == ("2",)
    assert check(graph, ["2"]).node_errors == {}
    for nothing in ([], ["1"], ["77"]):
        error = check(graph, nothing).error
        assert error is not None
        assert error["type"] == "prompt_no_outputs"


def test_one_unknown_class_rejects_everything() -> None:
    graph = {"1": node("Source"), "2": node("Save", images=["1", 0]), "5": {**node("Nope"), "_meta": {"title": "Mine"}}}
    result = check(graph)
    assert result.error is not None
    assert result.error["type"] == "missing_node_type"
    assert "'Mine' not found" in result.error["message"]
    assert result.error["details"] == "Node ID '#5'"
    assert result.error["extra_info"] == {"node_id": "5", "class_type": "Nope", "node_title": "Mine"}
    assert result.node_errors == {}
    del graph["5"]["_meta"]
    assert "'Nope' not found" in check(graph).error["message"]  # type: ignore[index]


def test_good_outputs_survive_bad_ones() -> None:
    graph = {"1": node("Source"), "2": node("Save", images=["1", 0]), "3": node("Save")}
    result = check(graph)
    assert result.error is None
    assert result.outputs == ("2",)
    assert result.node_errors == {
        "3": {
            "errors": [
                {
                    "type": "required_input_missing",
                    "message": "Required input is missing",
                    "details": "images",
                    "extra_info": {"input_name": "images"},
                }
            ],
            "dependent_outputs": ["3"],
            "class_type": "Save",
        }
    }


def test_failed_outputs_are_listed_line_by_line() -> None:
    result = check({"2": node("Save"), "3": node("Preview")})
    assert result.error == {
        "type": "prompt_outputs_failed_validation",
        "message": "Prompt outputs failed validation",
        "details": "Required input is missing: images\nRequired input is missing: images",
        "extra_info": {},
    }


def test_upstream_fault_has_empty_details_and_only_its_own_node_appears() -> None:
    result = check({"1": node("Filter"), "2": node("Filter", image=["1", 0]), "3": node("Save", images=["2", 0])})
    assert result.error is not None
    assert result.error["details"] == ""
    assert list(result.node_errors) == ["1"]
    assert result.node_errors["1"]["dependent_outputs"] == ["3"]
    assert result.outputs == ()


def test_dependent_outputs_are_those_that_depend() -> None:
    graph = {
        "bad": node("Filter"),
        "good": node("Source"),
        "a": node("Save", images=["bad", 0]),
        "b": node("Save", images=["good", 0]),
        "c": node("Preview", images=["bad", 0]),
        "d": node("Save", images=5, prefix=["good", 7]),
    }
    result = check(graph)
    assert result.outputs == ("b",)
    assert result.node_errors["bad"]["dependent_outputs"] == ["a", "c"]
    assert result.node_errors["d"]["dependent_outputs"] == ["d"]


def test_nodes_that_no_root_needs_are_not_checked() -> None:
    result = check({"1": node("Filter"), "2": node("Source"), "3": node("Save", images=["2", 0])})
    assert result.node_errors == {}


# Links


@pytest.mark.parametrize("value", [[], ["1"], ["1", 0, 0], ["1", "0"], [None, 0], ["1", True], [{}, 0]])
def test_bad_link(value: Any) -> None:
    reason = only(check({"1": node("Source"), "2": node("Save", images=value)}), "2")
    assert reason["type"] == "bad_linked_input"
    assert reason["message"] == "Bad linked input, must be a length-2 list of [node_id, slot_index]"
    assert reason["details"] == "images"
    assert reason["extra_info"] == {"input_name": "images", "input_config": ["IMAGE"], "received_value": value}


def test_type_mismatch() -> None:
    reason = only(check({"1": node("Source"), "2": node("Save", images=["1", 1])}), "2")
    assert reason == {
        "type": "return_type_mismatch",
        "message": "Return type mismatch between linked nodes",
        "details": "images, received_type(INT) mismatch input_type(IMAGE)",
        "extra_info": {
            "input_name": "images",
            "input_config": ["IMAGE"],
            "received_type": "INT",
            "linked_node": ["1", 1],
        },
    }


def test_wildcards_match() -> None:
    assert check({"1": node("Source"), "2": node("Wild", x=["1", 1])}).error is None
    assert check({"1": node("Any"), "2": node("Save", images=["1", 0])}).error is None
    assert check({"1": node("Combo"), **with_values(new=["1", 0])}).error is None
    assert check({"1": node("Combo"), **with_values(text=["1", 0])}).error is not None


def test_link_to_an_absent_node_at_a_root_and_below() -> None:
    reason = only(check({"2": node("Save", images=["77", 0])}), "2")
    assert reason == {
        "type": "exception_during_validation",
        "message": "Exception when validating node",
        "details": "'77'",
        "extra_info": {"exception_type": "KeyError", "traceback": []},
    }
    reason = only(check({"1": node("Filter", image=["77", 0]), "2": node("Save", images=["1", 0])}), "1")
    assert reason == {
        "type": "exception_during_inner_validation",
        "message": "Exception when validating inner node",
        "details": "'77'",
        "extra_info": {
            "input_name": "images",
            "input_config": ["IMAGE"],
            "exception_message": "'77'",
            "exception_type": "KeyError",
            "traceback": [],
            "linked_node": ["1", 0],
        },
    }


@pytest.mark.parametrize("slot", [3, -1, 10**9])
def test_slot_out_of_range(slot: int) -> None:
    reason = only(check({"1": node("Source"), "2": node("Save", images=["1", slot])}), "2")
    assert reason["type"] == "exception_during_validation"
    assert reason["extra_info"]["exception_type"] == "IndexError"
    assert str(slot) in reason["details"]


def test_inputs_missing_altogether() -> None:
    reason = only(check({"2": {"class_type": "Save"}}), "2")
    assert reason["type"] == "exception_during_validation"
    assert reason["details"] == "'inputs'"


def test_undeclared_inputs_are_ignored_but_their_sources_are_checked() -> None:
    graph = {"1": node("Source"), "2": node("Save", images=["1", 0], extra=[1, 2, 3], note={"a": 1})}
    assert check(graph).error is None
    assert check({**graph, "2": node("Save", images=["1", 0], extra=["gone", 0])}).error is None
    bad = {**graph, "3": node("Filter"), "2": node("Save", images=["1", 0], extra=["3", 0])}
    assert list(check(bad).node_errors) == ["3"]


def test_cycle() -> None:
    graph = {
        "a": node("Filter", image=["c", 0]),
        "b": node("Filter", image=["a", 0]),
        "c": node("Filter", image=["b", 0]),
        "out": node("Save", images=["c", 0]),
        "also": node("Save", images=["a", 0]),
    }
    result = check(graph)
    assert result.error is not None
    reason = only(result, "c")
    assert reason["type"] == "dependency_cycle"
    assert reason["message"] == "Dependency cycle detected"
    assert reason["details"] == "c (Filter) -> b (Filter) -> a (Filter) -> c (Filter)"
    assert reason["extra_info"] == {"node_id": "c", "cycle_nodes": ["c", "b", "a"]}
    assert result.node_errors["c"]["dependent_outputs"] == ["out", "also"]


def test_cycle_does_not_hurt_other_outputs() -> None:
    graph = {
        "a": node("Filter", image=["a", 0]),
        "bad": node("Save", images=["a", 0]),
        "1": node("Source"),
        "good": node("Save", images=["1", 0]),
    }
    assert check(graph).outputs == ("good",)


# Constants


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("int", 3.9, 3),
        ("int", "7", 7),
        ("int", " -5 ", -5),
        ("int", True, 1),
        ("int", {"__value__": 4}, 4),
        ("float", "0.5", 0.5),
        ("float", 1, 1.0),
        ("text", 5, "5"),
        ("text", None, "None"),
        ("text", {"__value__": "x"}, "x"),
        ("flag", "false", True),
        ("flag", 0, False),
        ("old", 3, 3),
        ("new", {"__value__": "x"}, "x"),
        ("image", 12, 12),
    ],
)
def test_constants_are_converted_in_the_graph(name: str, given: Any, expected: Any) -> None:
    result = check(with_values(**{name: given}))
    assert result.error is None
    value = result.graph.nodes["v"].inputs[name]
    assert value == expected
    assert type(value) is type(expected)
    assert result.graph.to_json()["v"]["inputs"][name] == expected


def test_conversion_leaves_the_given_graph_and_other_keys_alone() -> None:
    document = with_values(int="7")
    document["v"]["_meta"] = {"title": "t"}
    graph = Graph.parse(document)
    result = validate(graph, catalog(DOCUMENTS))
    assert graph.nodes["v"].inputs["int"] == "7"
    assert result.graph.to_json()["v"] == {"class_type": "Values", "inputs": {"int": 7}, "_meta": {"title": "t"}}


@pytest.mark.parametrize("value", ["3.9", "x", None, {}, {"a": {"b": 1}}, float("nan"), float("inf"), "9" * 5000])
def test_not_an_integer(value: Any) -> None:
    reason = only(check(with_values(int=value)), "v")
    assert reason["type"] == "invalid_input_type"
    assert reason["message"] == "Failed to convert an input value to a INT value"
    assert reason["details"].startswith("int, ")
    assert reason["details"].endswith(reason["extra_info"]["exception_message"])
    assert set(reason["extra_info"]) == {"input_name", "input_config", "received_value", "exception_message"}
    assert len(json.dumps(reason)) < 2000


@pytest.mark.parametrize("value", ["x", None, {}, float("nan"), "nan"])
def test_not_a_float(value: Any) -> None:
    assert only(check(with_values(float=value)), "v")["type"] == "invalid_input_type"


@pytest.mark.parametrize(
    ("name", "value", "kind", "message"),
    [
        ("int", -6, "value_smaller_than_min", "Value -6 smaller than min of -5"),
        ("int", 101, "value_bigger_than_max", "Value 101 bigger than max of 100"),
        ("float", -0.5, "value_smaller_than_min", "Value -0.5 smaller than min of 0.0"),
        ("float", 1.5, "value_bigger_than_max", "Value 1.5 bigger than max of 1.0"),
        ("float", float("inf"), "value_bigger_than_max", "Value inf bigger than max of 1.0"),
    ],
)
def test_ranges(name: str, value: Any, kind: str, message: str) -> None:
    reason = only(check(with_values(**{name: value})), "v")
    assert (reason["type"], reason["message"], reason["details"]) == (kind, message, name)
    assert set(reason["extra_info"]) == {"input_name", "input_config", "received_value"}


def test_bounds_are_inclusive() -> None:
    for name, value in (("int", -5), ("int", 100), ("float", 0), ("float", 1)):
        assert check(with_values(**{name: value})).error is None


def test_numbers_that_cannot_be_stored_are_refused() -> None:
    assert only(check(with_values(int=10**5000)), "v")["type"] == "value_bigger_than_max"
    assert only(check(with_values(free=10**5000)), "v")["type"] == "invalid_input_type"
    assert only(check(with_values(any_float=float("inf"))), "v")["type"] == "invalid_input_type"
    assert check(with_values(free=2**64 - 1)).error is None


def test_not_in_list() -> None:
    reason = only(check(with_values(old="c")), "v")
    assert reason == {
        "type": "value_not_in_list",
        "message": "Value not in list",
        "details": "old: 'c' not in ['a', 'b', 3]",
        "extra_info": {"input_name": "old", "input_config": [["a", "b", 3]], "received_value": "c"},
    }


def test_long_lists_are_not_repeated() -> None:
    reason = only(check(with_values(long="c")), "v")
    assert reason["details"] == "long: 'c' not in (list of length 30)"
    assert reason["extra_info"]["input_config"] is None
    assert check(with_values(long="n29")).error is None


def test_combos_of_both_styles_and_of_folders_are_checked() -> None:
    assert only(check(with_values(new="z")), "v")["details"] == "new: 'z' not in ['x', 'y']"
    assert only(check(with_values(new={"a": 1})), "v")["type"] == "value_not_in_list"
    assert check(with_values(files="model.safetensors")).error is None
    reason = only(check(with_values(files="gone.safetensors")), "v")
    assert reason["details"] == "files: 'gone.safetensors' not in ['model.safetensors']"
    assert reason["extra_info"]["input_config"] == [["model.safetensors"]]


def test_choices_that_clients_fetch_are_not_checked() -> None:
    assert check(with_values(fetched="whatever")).error is None


def test_multiselect_checks_each_element() -> None:
    assert check(with_values(many={"__value__": ["x", "y"]})).error is None
    assert check(with_values(many="x")).error is None
    assert only(check(with_values(many={"__value__": ["x", "z"]})), "v")["details"] == "many: 'z' not in ['x', 'y']"


def test_wrapped_list_arrives_as_a_list() -> None:
    result = check(with_values(image={"__value__": ["v", 0], "more": 1}))
    assert result.error is None
    assert result.graph.nodes["v"].inputs["image"] == ListConstant(["v", 0])
    assert type(result.graph.nodes["v"].inputs["image"]) is ListConstant


# Validators


def test_validator_given_as_data() -> None:
    graph = {"1": node("LoadImage", image="x.png"), "2": node("Save", images=["1", 0])}
    reason = only(check(graph), "1")
    assert reason == {
        "type": "custom_validation_failed",
        "message": "Custom validation failed for node",
        "details": "image - Invalid image file: x.png",
        "extra_info": {"input_name": "image"},
    }
    assert check({**graph, "1": node("LoadImage", image="cat.png")}).error is None
    for value in (5, None, {}, "a\0b", "x" * 10_000):
        assert only(check({**graph, "1": node("LoadImage", image=value)}), "1")["type"] == "custom_validation_failed"


VALIDATED = {
    **DOCUMENTS,
    "Checked": document(
        {"a": ["INT", {"max": 5}], "b": ["INT", {"max": 5}]},
        optional={"image": "IMAGE"},
        output_node=True,
        has_validator=True,
        validated_inputs=["a", "image"],
        checks_types=True,
    ),
}


def test_validators_in_code_are_asked_with_converted_constants_and_types() -> None:
    graph = Graph.parse({"s": node("Source"), "c": node("Checked", a="70", b="3", image=["s", 1])})
    result = validate(graph, catalog(VALIDATED))
    assert result.error is None, "a is not checked against its range, image not against its type"
    (question,) = result.questions
    assert (question.node_id, question.class_type) == ("c", "Checked")
    assert question.inputs == {"a": 70, "image": None}
    assert question.input_types == {"image": "INT"}


def test_answers_of_validators_become_reasons() -> None:
    graph = Graph.parse({"c": node("Checked", a=7, b=3)})
    good = validate(graph, catalog(VALIDATED), answers={"c": ValidatorAnswer([True])})
    assert good.error is None
    assert good.questions == ()
    bad = validate(graph, catalog(VALIDATED), answers={"c": ValidatorAnswer(["too odd", False])})
    told = [reason["details"] for reason in reasons(bad, "c")]
    assert told == ["a - too odd", "a", "input_types - too odd", "input_types"]
    raised = ValidatorAnswer([], "ValueError", "boom", ["line"])
    reason = only(validate(graph, catalog(VALIDATED), answers={"c": raised}), "c")
    assert reason["type"] == "exception_during_validation"
    assert reason["extra_info"] == {"exception_type": "ValueError", "traceback": ["line"]}


# Size


def chain(length: int, **first: Any) -> dict[str, Any]:
    graph = {"0": node("Source") if not first else node("Filter", **first)}
    for index in range(1, length + 1):
        graph[str(index)] = node("Filter", image=[str(index - 1), 0])
    graph["out"] = node("Save", images=[str(length), 0])
    return graph


def test_chain_of_ten_thousand() -> None:
    assert check(chain(10_000)).outputs == ("out",)
    result = check(chain(10_000, image=["gone", 0]))
    assert result.node_errors["0"]["dependent_outputs"] == ["out"]


def test_cycle_of_ten_thousand_is_told_shortly() -> None:
    graph = chain(10_000, image=["10000", 0])
    reason = only(check(graph), "10000")
    assert reason["type"] == "dependency_cycle"
    assert len(reason["details"]) < 3000


def test_fan_of_twenty_thousand_outputs_over_one_broken_link() -> None:
    graph = {"bad": node("Filter", image=["gone", 0])}
    graph |= {f"o{index}": node("Save", images=["bad", 0]) for index in range(19_999)}
    result = check(graph)
    assert list(result.node_errors) == ["bad"]
    assert len(result.node_errors["bad"]["dependent_outputs"]) == 19_999


def test_many_broken_nodes_under_many_outputs_stay_bounded() -> None:
    graph: dict[str, Any] = {"0": node("Filter", image=["gone", 0], size=99)}
    for index in range(1, 5000):
        graph[str(index)] = node("Filter", image=[str(index - 1), 0], size=99)
    graph |= {f"o{index}": node("Save", images=["4999", 0]) for index in range(5000)}
    result = check(graph)
    assert len(result.node_errors) == 5000
    assert len(result.node_errors["0"]["dependent_outputs"]) in (20, 5000)
    assert sum(len(entry["dependent_outputs"]) for entry in result.node_errors.values()) < 500_000


HOSTILE: list[Any] = [
    None,
    True,
    -0.0,
    1e308,
    float("inf"),
    float("-inf"),
    float("nan"),
    10**400,
    "x" * 50_000,
    "\ud800",
    "\0",
    [],
    {},
    {"__value__": None},
    {"__value__": {"__value__": [1]}},
    {"a": [{"b": {}}]},
    [{"a": 1}, 0],
    ["v", 0],
    ["v", -1],
    ["v", 10**30],
    ["v", 1e400],
    [float("nan"), 0],
    [[], []],
]


@pytest.mark.parametrize("name", list(DOCUMENTS["Values"]["input"]["optional"]))
@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: str(value)[:20])
def test_hostile_values_get_an_answer(name: str, value: Any) -> None:
    result = validate(Graph.parse(with_values(**{name: value})), catalog(DOCUMENTS))
    body = json.dumps([result.error, result.node_errors])
    assert len(body) < 5000
