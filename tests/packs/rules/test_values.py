"""Section 3 of the contract: forms of results, hidden inputs, instances."""

import pytest

from tests.packs.rules.harness import new_key, node, of_type, shown


@pytest.mark.parametrize("form", ["tuple", "list", "dict", "result only"])
def test_outputs_come_in_any_of_the_forms(server, form):
    graph = {"1": node("RuleReturn", form=form), "a": shown("1", 0), "b": shown("1", 1)}
    outputs = server.run(graph)["outputs"]
    assert (outputs["a"]["text"], outputs["b"]["text"]) == (['"a"'], ['"b"'])
    assert outputs.get("1") == ({"text": ["shown"], "numbers": [1, 2.5, None]} if form == "dict" else None)


def test_a_blocker_in_place_of_the_result_blocks_all_outputs(server):
    graph = {"1": node("RuleReturn", form="blocker"), "a": shown("1", 0), "b": shown("1", 1)}
    entry = server.run(graph)
    assert entry["status"]["status_str"] == "success"
    assert entry["outputs"] == {}


@pytest.mark.parametrize("form", ["tuple", "dict", "none"])
def test_a_node_without_outputs_may_return_nothing(server, form):
    entry = server.run({"1": node("RuleNothing", form=form)})
    assert entry["status"]["status_str"] == "success"
    assert entry["outputs"] == {}


@pytest.mark.parametrize("form", ["number", "text", "none"])
def test_a_result_that_holds_no_outputs_is_an_error_that_names_the_class(server, form):
    error = server.error({"1": node("RuleReturn", form=form)})
    assert error["node_id"] == "1"
    assert "RuleReturn" in error["exception_message"]


def test_hidden_inputs(server):
    told = server.text(
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


def test_hidden_inputs_are_none_where_nothing_was_given(server):
    told = server.text({"own": node("RuleHidden")}, "own")
    assert (told["info"], told["secrets"], told["source"]) == (None, [False, False], None)


def remembered(server, node_id, text, kind="RuleRemember"):
    return server.text({node_id: node(kind, text=text), "show": shown(node_id)})


def test_one_object_per_node_is_kept_over_runs(server):
    first, second, third, fourth = (new_key() for _ in range(4))
    assert remembered(server, "1", first) == first
    assert remembered(server, "1", second) == f"{first} {second}"
    assert remembered(server, "2", third) == third
    assert remembered(server, "1", fourth) == fourth  # it was gone from the graph meanwhile


def test_the_objects_of_expanded_nodes_are_kept_too(server):
    first, second = new_key(), new_key()
    assert remembered(server, "e", first, "RuleExpandRemember") == first
    assert remembered(server, "e", second, "RuleExpandRemember") == f"{first} {second}"


def test_objects_are_gone_once_memory_is_freed(server):
    first, second = new_key(), new_key()
    assert remembered(server, "f", first) == first
    assert server.post("/free", {"free_memory": True}).status_code == 200
    assert remembered(server, "f", second) == second


def test_every_executed_message_tells_the_ui_data(server):
    messages = server.watch({"1": node("RuleReturn", form="dict")})
    (executed,) = of_type(messages, "executed")
    assert executed["output"]["numbers"] == [1, 2.5, None]


def test_nodes_work_in_the_base_folder(server):
    assert server.text({"1": node("RuleFolder"), "show": shown("1")}) == str(server.base)
