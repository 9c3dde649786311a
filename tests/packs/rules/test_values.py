"""Section 3 of the contract: forms of results, hidden inputs, instances."""

import pytest

from tests.packs.rules.harness import new_key, node, of_type, shown


@pytest.mark.parametrize("form", ["tuple", "list", "dict", "result only"])
def test_outputs_come_in_any_of_the_forms(classic, form):
    graph = {"1": node("RuleReturn", form=form), "a": shown("1", 0), "b": shown("1", 1)}
    outputs = classic.run(graph)["outputs"]
    assert (outputs["a"]["text"], outputs["b"]["text"]) == (['"a"'], ['"b"'])
    assert outputs.get("1") == ({"text": ["shown"], "numbers": [1, 2.5, None]} if form == "dict" else None)


def test_a_blocker_in_place_of_the_result_blocks_all_outputs(classic):
    graph = {"1": node("RuleReturn", form="blocker"), "a": shown("1", 0), "b": shown("1", 1)}
    entry = classic.run(graph)
    assert entry["status"]["status_str"] == "success"
    assert entry["outputs"] == {}


@pytest.mark.parametrize("form", ["tuple", "dict", "none"])
def test_a_node_without_outputs_may_return_nothing(classic, form):
    entry = classic.run({"1": node("RuleNothing", form=form)})
    assert entry["status"]["status_str"] == "success"
    assert entry["outputs"] == {}


@pytest.mark.parametrize("form", ["number", "text", "none"])
def test_a_result_that_holds_no_outputs_is_an_error_that_names_the_class(classic, form):
    error = classic.error({"1": node("RuleReturn", form=form)})
    assert error["node_id"] == "1"
    assert "RuleReturn" in error["exception_message"]


def test_hidden_inputs(classic):
    told = classic.text(
        {"own": node("RuleHidden", extra="kept")},
        "own",
        extra_data={
            "extra_pnginfo": {"workflow": {"id": "w"}},
            "auth_token_comfy_org": "a token",
            "api_key_comfy_org": "a key",
            "comfy_usage_source": "a test",
        },
    )
    assert told == {
        "classes": ["RuleHidden"],
        "inputs": {"extra": "kept"},
        "info": {"workflow": {"id": "w"}},
        "own_id": "own",
        "in_graph": [True, False, ["own"]],
        "ids": [None, "own", "own"],
        "class": "RuleHidden",
        "same": True,
        "secrets": [True, True],
        "source": "a test",
    }


def test_hidden_inputs_are_none_where_nothing_was_given(classic):
    told = classic.text({"own": node("RuleHidden")}, "own")
    assert (told["info"], told["secrets"], told["source"]) == (None, [False, False], None)


def test_one_object_per_node_is_kept_over_runs(server):
    key = new_key()
    assert server.text({"1": node("RuleRemember", text=f"{key} a"), "show": shown("1")}) == f"{key} a"
    assert server.text({"1": node("RuleRemember", text="b"), "show": shown("1")}) == f"{key} a b"
    assert server.text({"2": node("RuleRemember", text="c"), "show": shown("2")}) == "c"
    assert server.text({"1": node("RuleRemember", text="d"), "show": shown("1")}) == "d"  # it was gone meanwhile


def test_the_objects_of_expanded_nodes_are_kept_too(server):
    key = new_key()
    graph = {"e": node("RuleExpandRemember", text=key), "show": shown("e")}
    assert server.text(graph) == key
    assert server.text({"e": node("RuleExpandRemember", text="b"), "show": shown("e")}) == f"{key} b"


def test_objects_are_gone_once_memory_is_freed(classic):
    assert classic.text({"f": node("RuleRemember", text="a"), "show": shown("f")}) == "a"
    assert classic.post("/free", {"free_memory": True}).status_code == 200
    assert classic.text({"f": node("RuleRemember", text="b"), "show": shown("f")}) == "b"


def test_every_executed_message_tells_the_ui_data(classic):
    messages = classic.watch({"1": node("RuleReturn", form="dict")})
    (executed,) = of_type(messages, "executed")
    assert executed["output"]["numbers"] == [1, 2.5, None]
