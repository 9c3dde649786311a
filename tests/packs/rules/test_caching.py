"""Section 10 of the contract: what is run again."""

import pytest

from tests.packs.rules.harness import new_key, node, of_type, shown


def counted(key, kind="RuleCount", **inputs):
    return {"1": node(kind, key=key, **inputs), "show": shown("1")}


def test_a_result_is_used_again_where_results_are_kept(server):
    graph = counted(new_key())
    assert server.text(graph) == 1
    assert server.text(graph) == (1 if server.keeps else 2)


def test_cached_nodes_are_told_and_their_outputs_listed(server):
    graph = counted(new_key())
    first = server.run(graph)
    messages = server.watch(graph)
    (cached,) = of_type(messages, "execution_cached")
    assert cached["nodes"] == (["1", "show"] if server.keeps else [])
    (executed,) = of_type(messages, "executed")
    assert executed["node"] == "show"
    if server.keeps:
        assert of_type(messages, "executing") == [{"node": None, "prompt_id": executed["prompt_id"]}]
        assert executed["output"] == first["outputs"]["show"]


def test_ids_do_not_matter(server):
    key = new_key()
    assert server.text({"1": node("RuleCount", key=key), "show": shown("1")}) == 1
    again = server.text({"other": node("RuleCount", key=key), "show": shown("other")})
    assert again == (1 if server.keeps else 2)


def test_two_equal_nodes_share_a_result(server):
    key = new_key()
    graph = {"1": node("RuleCount", key=key), "2": node("RuleCount", key=key), "a": shown("1"), "b": shown("2")}
    outputs = server.run(graph)["outputs"]
    shared = outputs["a"]["text"] == outputs["b"]["text"]
    assert shared == server.keeps


@pytest.mark.parametrize("kind", ["RuleCountOnce", "RuleCountId"])
def test_a_node_whose_id_matters_shares_with_no_other(server, kind):
    key = new_key()
    graph = {"1": node(kind, key=key), "2": node(kind, key=key), "a": shown("1"), "b": shown("2")}
    outputs = server.run(graph)["outputs"]
    assert sorted(outputs["a"]["text"] + outputs["b"]["text"]) == ["1", "2"]


def test_a_changed_constant_upstream_runs_everything_below_again(server):
    key = new_key()
    first = {"0": node("RuleText", text="a"), **counted(key, after=["0", 0])}
    second = {"0": node("RuleText", text="b"), **counted(key, after=["0", 0])}
    assert (server.text(first), server.text(second)) == (1, 2)


@pytest.mark.parametrize(
    ("kind", "is_kept"), [("RuleCountAlways", False), ("RuleCountTrue", True), ("RuleCountBroken", False)]
)
def test_change_detection(server, kind, is_kept):
    graph = counted(new_key(), kind)
    assert server.text(graph) == 1
    assert server.text(graph) == (1 if is_kept and server.keeps else 2)


@pytest.mark.parametrize("kind", ["RuleCountChanged", "RuleCountChangedAsync"])
def test_a_changed_value_runs_the_node_again_and_an_equal_one_does_not(server, kind):
    key = new_key()
    graph = counted(key, kind)
    runs = [server.text(graph), server.text(graph)]
    server.run({"1": node("RuleChange", key=key, value=1), "show": shown("1")})
    runs += [server.text(graph)]
    if server.keeps:
        kept_by_classic = runs[2] == 2
        assert runs[:2] == [1, 1]
        assert kept_by_classic
    else:
        assert runs == [1, 2, 3]


def test_change_detection_and_validators_of_a_node_that_takes_lists_get_lists(server):
    graph = counted(new_key(), "RuleCountList")
    assert server.text(graph) == 1
    assert server.text(graph) == (1 if server.keeps else 2)


def test_change_detection_is_asked_once_per_run_and_sees_links_as_none(server):
    key = new_key()
    graph = {"0": node("RuleText", text="x"), **counted(key, "RuleCountChanged", after=["0", 0])}
    graph["again"] = shown("1")
    server.run(graph)
    assert server.text({"1": node("RuleChange", key=key, value=0), "show": shown("1")}) == 1


def test_results_beyond_the_next_graph(server, request):
    key = new_key()
    graph = counted(key)
    server.text(graph)
    server.text(counted(new_key()))
    wanted = {"classic": 2, "lru": 1, "ram": 1, "none": 2}[request.node.callspec.params["server"]]
    assert server.text(graph) == wanted


def test_free_memory_forgets_results_and_unloading_models_does_not(server):
    graph = counted(new_key())
    assert server.text(graph) == 1
    server.post("/free", {"unload_models": True})
    assert server.text(graph) == (1 if server.keeps else 2)
    server.post("/free", {"free_memory": True})
    assert server.text(graph) == (2 if server.keeps else 3)


def test_unhashable_constants_equal_nothing(server):
    graph = counted(new_key(), extra={"a": [1, {"b": 2}]})
    assert server.text(graph) == 1
    assert server.text(graph) in (1, 2)


def test_intermediate_outputs_are_told_again_from_the_cache(server):
    graph = {"1": node("RuleIntermediate", text=new_key()), "show": shown("1")}
    first, second = server.watch(graph), server.watch(graph)
    for messages in (first, second):
        assert {data["node"] for data in of_type(messages, "executed")} == {"1", "show"}
