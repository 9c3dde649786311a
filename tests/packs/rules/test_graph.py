"""Section 1 of the contract: what a graph may look like."""

from tests.packs.rules.harness import new_key, node, shown


def test_node_ids_are_any_strings(server):
    graph = {"1:7:3": node("RuleText", text="hello"), "show": shown("1:7:3"), "ключ ☃": node("RuleText", text="")}
    assert server.text(graph) == "hello"


def test_a_numeric_id_in_a_link_means_the_string(server):
    assert server.text({"4": node("RuleText", text="four"), "show": node("RuleShow", value=[4, 0])}) == "four"


def test_undeclared_inputs_are_ignored_but_their_links_pull_the_source_into_the_run(server):
    key = new_key()
    graph = {
        "side": node("RuleCount", key=key),
        "1": node("RuleText", text="x", unknown=5, extra=["side", 0]),
        "show": shown("1"),
    }
    messages = server.watch(graph)
    assert [m["data"]["node"] for m in messages if m["type"] == "executing"] == ["side", "1", "show", None]


def test_undeclared_inputs_take_part_in_the_cache_key(server):
    key = new_key()
    first = server.text({"1": node("RuleCount", key=key, unknown=1), "show": shown("1")})
    second = server.text({"1": node("RuleCount", key=key, unknown=2), "show": shown("1")})
    assert (first, second) == (1, 2)


def test_a_wrapped_list_is_a_constant(server):
    graph = {"show": node("RuleShowList", value={"__value__": ["4", 0]})}
    assert server.text(graph) == ["4", 0]


def test_a_list_of_another_length_is_a_bad_link(server):
    body = server.refused({"show": node("RuleShowList", value=[1, 2, 3])})
    assert body["node_errors"]["show"]["errors"][0]["type"] == "bad_linked_input"


def test_a_pack_is_described_like_any_node(server):
    info = server.get("/object_info/RuleText").json()["RuleText"]
    assert info["display_name"] == "A text"
    assert info["python_module"] == "custom_nodes.contract-rules"
    assert info["input"]["required"]["text"] == ["STRING", {"default": "", "multiline": True}]
    assert info["input_order"] == {"required": ["text"]}
    assert (info["output"], info["output_name"], info["output_is_list"]) == (["STRING"], ["words"], [False])
    assert info["output_tooltips"] == ["what was given"]
    assert info["category"] == "rules/values"
    assert not info["output_node"]
