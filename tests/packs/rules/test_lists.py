"""Section 6 of the contract: lists."""

from tests.packs.rules.harness import node


def test_a_node_is_called_for_each_element_and_shorter_lists_repeat_their_last(server):
    graph = {
        "a": node("RuleList", words="1 2 3"),
        "b": node("RuleList", words="x y"),
        "pair": node("RulePair", a=["a", 0], b=["b", 0]),
        "show": node("RuleShowEach", text=["pair", 0]),
    }
    assert server.texts(graph) == ["1x", "2y", "3y"]


def test_ui_data_of_all_calls_are_put_together_key_by_key(server):
    graph = {"a": node("RuleList", words="a bb ccc"), "show": node("RuleShowEach", text=["a", 0])}
    entry = server.run(graph)
    assert entry["outputs"]["show"] == {"text": ["a", "bb", "ccc"], "lengths": [1, 2, 3]}


def test_a_node_that_takes_lists_is_called_once_with_all_of_them_as_lists(server):
    graph = {"a": node("RuleList", words="1 2"), "show": node("RuleWhole", values=["a", 0], label="name")}
    assert server.text(graph) == [["1", "2"], ["name"], ["show"]]


def test_list_outputs_of_several_calls_are_put_one_after_another(server):
    graph = {
        "a": node("RuleList", words="a b"),
        "double": node("RuleDouble", text=["a", 0]),
        "show": node("RuleWhole", values=["double", 0], label=""),
        "single": node("RuleWhole", values=["double", 1], label=""),
    }
    assert server.text(graph)[0] == ["a", "a", "b", "b"]
    assert server.text(graph, "single")[0] == ["a!", "b!"]


def test_an_empty_list_beside_one_that_is_not_is_an_error(server):
    graph = {"a": node("RuleList", words=""), "show": node("RuleCalls", text=["a", 0], other="x")}
    assert "empty list" in server.error(graph)["exception_message"]


def test_a_node_whose_lists_are_all_empty_is_called_once_without_arguments(server):
    graph = {"a": node("RuleList", words=""), "show": node("RuleCalls", text=["a", 0])}
    assert server.texts(graph) == [{}]


def test_a_batch_is_one_element(server):
    graph = {
        "image": node("EmptyImage", width=8, height=8, batch_size=3, color=0),
        "show": node("RuleShow", value=["image", 0]),
    }
    assert server.texts(graph) == ["Tensor"]
