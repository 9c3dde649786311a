"""What a run does and tells, in order."""

from __future__ import annotations

from inglenook.engine.events import Failed, Succeeded
from tests.engine.toys import basic, node


def test_two_nodes_run_in_order_and_tell_their_output() -> None:
    story = basic().run({"1": node("Text", text="a"), "2": node("Show", text=["1", 0])})
    assert story.names() == [
        "Started",
        "Cached",
        "NodeStarted 1",
        "NodeDone 1",
        "NodeStarted 2",
        "NodeDone 2",
        "Succeeded",
    ]
    assert isinstance(story.end, Succeeded)
    assert story.end.outputs == {"2": {"text": ["a"]}}


def test_second_run_is_cached_and_shows_the_roots_again() -> None:
    toys = basic()
    graph = {"1": node("Text", text="a"), "2": node("Show", text=["1", 0])}
    toys.run(graph)
    story = toys.run(graph)
    assert story.names() == ["Started", "Cached", "NodeDone 2", "Succeeded"]
    assert story.events[1].nodes == ["1", "2"]
    assert story.events[2].cached
    assert story.events[2].show
    assert story.events[2].output == {"text": ["a"]}
    assert story.end.outputs == {"2": {"text": ["a"]}}
    assert toys.calls == []


def test_an_exception_fails_the_run_with_its_node_and_inputs() -> None:
    story = basic().run(
        {"1": node("Text", text="a"), "3": node("Fail", text=["1", 0]), "2": node("Show", text=["3", 0])}
    )
    end = story.end
    assert isinstance(end, Failed)
    assert (end.node_id, end.class_type, end.exception_type) == ("3", "Fail", "ValueError")
    assert end.message == "cannot use a\n"
    assert end.inputs == {"text": ["a"]}
    assert end.executed == ["1"]
    assert end.current_outputs == ["1"]
    assert "/" not in end.traceback[-1]
