"""Nodes that return a graph in their own place."""

from __future__ import annotations

from typing import Any

import pytest

from inglenook.engine.cache import Cache, ClassicCache, LruCache, NoCache
from inglenook.engine.context import expansion_prefix
from inglenook.engine.events import Cached, Failed, NodeDone, NodeRef, NodeStarted, Succeeded
from tests.engine.toys import Story, Toys, basic, node

MODES = [ClassicCache, lambda: LruCache(100), NoCache]


def expanding(cache: Cache | None = None) -> Toys:
    """`Twice` text by expansion; `Loop` n times by recursion; `ShowIt` through an inner output node."""
    toys = basic(cache)

    def twice(text: str) -> dict[str, Any]:
        p = expansion_prefix()
        return {
            "expand": {f"{p}1": node("Text", text=text), f"{p}2": node("Join", a=[f"{p}1", 0], b=[f"{p}1", 0])},
            "result": ([f"{p}2", 0],),
        }

    def loop(text: str, n: int) -> Any:
        if n == 0:
            return (text,)
        p = expansion_prefix()
        return {
            "expand": {f"{p}j": node("Join", a=text, b="."), f"{p}l": node("Loop", text=[f"{p}j", 0], n=n - 1)},
            "result": ([f"{p}l", 0],),
        }

    def show_it(text: str) -> dict[str, Any]:
        p = expansion_prefix()
        return {"expand": {f"{p}s": node("Show", text=text)}, "result": (text,)}

    toys.add("Twice", twice, required={"text": "STRING"}, output=["STRING"])
    toys.add("Loop", loop, required={"text": "STRING", "n": "INT"}, output=["STRING"])
    toys.add("ShowIt", show_it, required={"text": "STRING"}, output=["STRING"])
    toys.add("Many", lambda: (["a", "b"],), output=["STRING"], lists=[True])
    return toys


TWICE = {"5": node("Twice", text="ab"), "9": node("Show", text=["5", 0])}


@pytest.mark.parametrize("make", MODES)
def test_new_nodes_run_in_place_of_the_node(make: Any) -> None:
    story = expanding(make()).run(TWICE)
    assert story.end.outputs["9"] == {"text": ["abab"]}
    assert story.names()[2:-1] == [
        "NodeStarted 5",
        "NodeStarted 5.0.0.1",
        "NodeDone 5.0.0.1",
        "NodeStarted 5.0.0.2",
        "NodeDone 5.0.0.2",
        "NodeDone 5",
        "NodeStarted 9",
        "NodeDone 9",
    ]
    assert story.of(NodeStarted)[1].node == NodeRef("5.0.0.1", "5", "5", "5")


def test_expanded_result_is_cached_under_the_node() -> None:
    toys = expanding()
    toys.run(TWICE)
    story = toys.run(TWICE)
    assert story.of(Cached)[0].nodes == ["5", "9"]
    assert toys.calls == []
    toys.run({**TWICE, "9": node("Show", text=["5", 0], more=1)})
    assert toys.calls == ["Show"]


def test_unchanged_inner_nodes_are_taken_from_the_sub_cache() -> None:
    toys = expanding()
    toys.run({"5": node("Loop", text="a", n=3), "9": node("Show", text=["5", 0])})
    story = toys.run({"5": node("Loop", text="a", n=5), "9": node("Show", text=["5", 0])})
    assert story.end.outputs["9"] == {"text": ["a....."]}
    assert toys.calls.count("Join") == 2


def test_each_element_of_a_list_may_expand_or_not() -> None:
    toys = expanding()

    def maybe(text: str) -> Any:
        if text == "a":
            return (text,)
        inner = f"{expansion_prefix()}1"
        return {"expand": {inner: node("Text", text=text * 2)}, "result": ([inner, 0],)}

    toys.add("Maybe", maybe, required={"text": "STRING"}, output=["STRING"])
    graph = {"1": node("Many"), "2": node("Maybe", text=["1", 0]), "3": node("Show", text=["2", 0])}
    assert toys.run(graph).end.outputs["3"] == {"text": ["a", "bb"]}


def test_an_inner_output_node_runs_and_is_shown_at_its_visible_node() -> None:
    toys = expanding()
    graph = {"5": node("ShowIt", text="x"), "9": node("Show", text=["5", 0])}
    for _ in range(2):
        end = toys.run(graph).end
        assert end.outputs == {"5.0.0.s": {"text": ["x"]}, "9": {"text": ["x"]}}
        assert end.meta["5.0.0.s"] == NodeRef("5.0.0.s", "5", "5", "5")
    assert toys.calls == []


def test_cached_inner_output_takes_the_id_of_the_node_that_uses_it() -> None:
    toys = expanding()
    toys.run({"5": node("ShowIt", text="x"), "9": node("Show", text=["5", 0])})
    end = toys.run({"7": node("ShowIt", text="x"), "9": node("Show", text=["7", 0])}).end
    assert toys.calls == []
    assert end.meta["7.0.0.s"] == NodeRef("7.0.0.s", "7", "7", "7")
    assert set(end.outputs) == {"7.0.0.s", "9"}


def test_inner_node_may_be_shown_elsewhere() -> None:
    toys = expanding()
    inner = {"x": {**node("Show", text="t"), "override_display_id": "9"}}
    toys.add("Elsewhere", lambda: {"expand": inner, "result": ("r",)}, output=["STRING"])
    story = toys.run({"5": node("Elsewhere"), "9": node("Show", text=["5", 0])})
    assert story.end.meta["x"] == NodeRef("x", "9", "5", "5")


@pytest.mark.parametrize("make", MODES)
def test_a_thousand_iterations(make: Any) -> None:
    story = expanding(make()).run({"5": node("Loop", text="", n=1000), "9": node("Show", text=["5", 0])})
    assert story.end.outputs["9"] == {"text": ["." * 1000]}
    assert len(story.of(NodeDone)) == 2002
    assert max(len(event.node.node_id) for event in story.of(NodeDone)) < 200


def failed(toys: Toys, result: Any) -> Failed:
    toys.add("Bad", lambda: result, output=["STRING"])
    end = toys.run({"5": node("Bad"), "9": node("Show", text=["5", 0])}).end
    assert isinstance(end, Failed)
    assert end.node_id == "5"
    return end


def test_ids_must_be_new() -> None:
    end = failed(expanding(), {"expand": {"9": node("Text", text="")}, "result": (["9", 0],)})
    assert "'9' is already in the graph" in end.message


def test_links_must_lead_somewhere() -> None:
    assert (
        "is absent"
        in failed(expanding(), {"expand": {"x": node("Text", text=["y", 0])}, "result": (["x", 0],)}).message
    )
    assert "not in the graph" in failed(expanding(), {"expand": {}, "result": (["x", 0],)}).message
    assert "not available" in failed(expanding(), {"expand": {"x": node("Nope")}, "result": (["x", 0],)}).message
    assert "no class_type" in failed(expanding(), {"expand": {"x": {}}, "result": (["x", 0],)}).message


def test_errors_inside_name_the_visible_node() -> None:
    end = failed(expanding(), {"expand": {"x": node("Fail", text="t")}, "result": (["x", 0],)})
    assert (end.class_type, end.exception_type) == ("Bad", "ValueError")


def test_cycle_made_by_an_expansion_blames_its_node() -> None:
    cycle = {"x": node("Join", a=["y", 0], b=""), "y": node("Join", a=["x", 0], b="")}
    end = failed(expanding(), {"expand": cycle, "result": (["x", 0],)})
    assert end.exception_type == "graph.DependencyCycleError"
    assert "x (Join) -> y (Join) -> x (Join)" in end.message


def test_expansion_that_waits_for_its_own_consumer_is_a_cycle() -> None:
    end = failed(expanding(), {"expand": {"x": node("Join", a=["9", 0], b="")}, "result": (["x", 0],)})
    assert end.exception_type == "graph.DependencyCycleError"


def test_inner_nodes_may_link_to_nodes_of_the_graph() -> None:
    toys = expanding(NoCache())
    toys.add(
        "Reach",
        lambda link: {"expand": {"x": node("Join", a=link, b="!")}, "result": (["x", 0],)},
        required={"link": ["STRING", {"rawLink": True}]},
        output=["STRING"],
    )
    graph = {"1": node("Text", text="a"), "5": node("Reach", link=["1", 0]), "9": node("Show", text=["5", 0])}
    story: Story = toys.run(graph)
    assert isinstance(story.end, Succeeded)
    assert story.end.outputs["9"] == {"text": ["a!"]}
    assert toys.calls.count("Text") == 1


def test_values_of_any_kind_may_be_constants_of_inner_nodes() -> None:
    toys = expanding()
    value = object()
    seen: list[Any] = []
    toys.add("Look", lambda value: seen.append(value) or (), required={"value": "*"}, output_node=True)
    toys.add("Give", lambda: {"expand": {"x": node("Look", value=value)}, "result": ("r",)}, output=["STRING"])
    toys.run({"5": node("Give"), "9": node("Show", text=["5", 0])})
    assert seen == [value]
