"""Section 10 of the contract: what is run again."""

import pytest

from tests.packs.rules.harness import new_key, node, of_type, shown


def counted(key, kind="RuleCount", **inputs):
    return {"1": node(kind, key=key, **inputs), "show": shown("1")}


def test_a_result_is_used_again_where_results_are_kept(any_cache):
    graph = counted(new_key())
    assert any_cache.text(graph) == 1
    assert any_cache.text(graph) == (1 if any_cache.keeps else 2)


def test_cached_nodes_are_told_and_their_outputs_listed(any_cache):
    graph = counted(new_key())
    first = any_cache.run(graph)
    messages = any_cache.watch(graph)
    (cached,) = of_type(messages, "execution_cached")
    assert cached["nodes"] == (["1", "show"] if any_cache.keeps else [])
    (executed,) = of_type(messages, "executed")
    assert executed["node"] == "show"
    if any_cache.keeps:
        assert of_type(messages, "executing") == [{"node": None, "prompt_id": executed["prompt_id"]}]
        assert executed["output"] == first["outputs"]["show"]


def test_ids_do_not_matter(any_cache):
    key = new_key()
    assert any_cache.text({"1": node("RuleCount", key=key), "show": shown("1")}) == 1
    again = any_cache.text({"other": node("RuleCount", key=key), "show": shown("other")})
    assert again == (1 if any_cache.keeps else 2)


def test_two_equal_nodes_share_a_result(any_cache):
    key = new_key()
    graph = {"1": node("RuleCount", key=key), "2": node("RuleCount", key=key), "a": shown("1"), "b": shown("2")}
    outputs = any_cache.run(graph)["outputs"]
    shared = outputs["a"]["text"] == outputs["b"]["text"]
    assert shared == any_cache.keeps


@pytest.mark.parametrize("kind", ["RuleCountOnce", "RuleCountId"])
def test_a_node_whose_id_matters_shares_with_no_other(any_cache, kind):
    key = new_key()
    graph = {"1": node(kind, key=key), "2": node(kind, key=key), "a": shown("1"), "b": shown("2")}
    outputs = any_cache.run(graph)["outputs"]
    assert sorted(outputs["a"]["text"] + outputs["b"]["text"]) == ["1", "2"]


def test_a_changed_constant_upstream_runs_everything_below_again(any_cache):
    key = new_key()
    first = {"0": node("RuleText", text="a"), **counted(key, after=["0", 0])}
    second = {"0": node("RuleText", text="b"), **counted(key, after=["0", 0])}
    assert (any_cache.text(first), any_cache.text(second)) == (1, 2)


@pytest.mark.parametrize(
    ("kind", "is_kept"), [("RuleCountAlways", False), ("RuleCountTrue", True), ("RuleCountBroken", False)]
)
def test_change_detection(any_cache, kind, is_kept):
    graph = counted(new_key(), kind)
    assert any_cache.text(graph) == 1
    assert any_cache.text(graph) == (1 if is_kept and any_cache.keeps else 2)


@pytest.mark.parametrize("kind", ["RuleCountChanged", "RuleCountChangedAsync"])
def test_a_changed_value_runs_the_node_again_and_an_equal_one_does_not(any_cache, kind):
    key = new_key()
    graph = counted(key, kind)
    runs = [any_cache.text(graph), any_cache.text(graph)]
    any_cache.run({"1": node("RuleChange", key=key, value=1), "show": shown("1")})
    runs += [any_cache.text(graph)]
    if any_cache.keeps:
        kept_by_classic = runs[2] == 2
        assert runs[:2] == [1, 1]
        assert kept_by_classic
    else:
        assert runs == [1, 2, 3]


def test_change_detection_and_validators_of_a_node_that_takes_lists_get_lists(any_cache):
    graph = counted(new_key(), "RuleCountList")
    assert any_cache.text(graph) == 1
    assert any_cache.text(graph) == (1 if any_cache.keeps else 2)


def test_change_detection_is_asked_once_per_run_and_sees_links_as_none(any_cache):
    key = new_key()
    graph = {"0": node("RuleText", text="x"), **counted(key, "RuleCountChanged", after=["0", 0])}
    graph["again"] = shown("1")
    any_cache.run(graph)
    assert any_cache.text({"1": node("RuleChange", key=key, value=0), "show": shown("1")}) == 1


def test_results_beyond_the_next_graph(any_cache, request):
    key = new_key()
    graph = counted(key)
    any_cache.text(graph)
    any_cache.text(counted(new_key()))
    wanted = {"classic": 2, "lru": 1, "ram": 1, "none": 2}[request.node.callspec.params["any_cache"]]
    assert any_cache.text(graph) == wanted


def test_free_memory_forgets_results_and_unloading_models_does_not(any_cache):
    graph = counted(new_key())
    assert any_cache.text(graph) == 1
    any_cache.post("/free", {"unload_models": True})
    assert any_cache.text(graph) == (1 if any_cache.keeps else 2)
    any_cache.post("/free", {"free_memory": True})
    assert any_cache.text(graph) == (2 if any_cache.keeps else 3)


def test_unhashable_constants_equal_nothing(any_cache):
    graph = counted(new_key(), extra={"a": [1, {"b": 2}]})
    assert any_cache.text(graph) == 1
    assert any_cache.text(graph) in (1, 2)


def test_intermediate_outputs_are_told_again_from_the_cache(any_cache):
    graph = {"1": node("RuleIntermediate", text=new_key()), "show": shown("1")}
    first, second = any_cache.watch(graph), any_cache.watch(graph)
    for messages in (first, second):
        assert {data["node"] for data in of_type(messages, "executed")} == {"1", "show"}
