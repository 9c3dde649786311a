"""What a run does and tells, in order."""

from __future__ import annotations

import gc
import sys
import weakref
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.engine import context
from inglenook.engine.blocker import ExecutionBlocker
from inglenook.engine.cache import Cache, ClassicCache, LruCache, NoCache
from inglenook.engine.context import InterruptProcessing
from inglenook.engine.events import Blocked, Cached, Failed, Interrupted, NodeDone, NodeStarted, Progress, Succeeded
from inglenook.engine.graph import Graph
from inglenook.engine.validators import ValidatorCall
from tests.engine.toys import Toys, basic, node

PAIR = {"1": node("Text", text="a"), "2": node("Show", text=["1", 0])}


def started(story: Any) -> list[str]:
    return [event.node.node_id for event in story.of(NodeStarted)]


# Order


def test_two_nodes_run_in_order_and_tell_their_output() -> None:
    story = basic().run(PAIR)
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
    assert story.end.meta["2"].real_id == "2"


def test_second_run_is_cached_and_shows_the_roots_again() -> None:
    toys = basic()
    toys.run(PAIR)
    story = toys.run(PAIR)
    assert story.names() == ["Started", "Cached", "NodeDone 2", "Succeeded"]
    assert story.of(Cached)[0].nodes == ["1", "2"]
    (done,) = story.of(NodeDone)
    assert (done.cached, done.show, done.output) == (True, True, {"text": ["a"]})
    assert story.end.outputs == {"2": {"text": ["a"]}}
    assert toys.calls == []


def test_only_ancestors_of_the_roots_run() -> None:
    graph = {**PAIR, "3": node("Text", text="b"), "4": node("Show", text=["3", 0]), "5": node("Text", text="c")}
    story = basic().run(graph, outputs=["4"])
    assert started(story) == ["3", "4"]
    assert set(story.end.outputs) == {"4"}


def test_an_undeclared_link_pulls_its_source_into_the_run_but_is_not_passed() -> None:
    graph = {**PAIR, "3": node("Text", text="b"), "2": node("Show", text=["1", 0], more=["3", 0], note="x")}
    story = basic().run(graph)
    assert set(started(story)) == {"1", "2", "3"}


def test_an_undeclared_link_is_passed_to_a_class_that_takes_any_link() -> None:
    toys = basic()
    toys.add("Many", lambda **inputs: (",".join(inputs.values()),), required={"first": "STRING"}, takes_any_link=True)
    graph = {
        "1": node("Text", text="a"),
        "m": node("Many", first=["1", 0], second=["1", 0], note="x"),
        "s": node("Show", text=["m", 0]),
    }
    assert toys.run(graph).end.outputs["s"] == {"text": ["a,a"]}


def test_a_hidden_input_of_unknown_kind_may_be_given_in_the_graph_others_may_not() -> None:
    toys = basic()

    def tell(own: str, start: str = "none") -> tuple[str]:
        return (f"{own} {start}",)

    toys.add("Tell", tell, hidden={"start": "*", "own": "UNIQUE_ID"})
    graph = {"1": node("Text", text="a"), "t": node("Tell", start=["1", 0], own="b"), "s": node("Show", text=["t", 0])}
    assert toys.run(graph).end.outputs["s"] == {"text": ["t a"]}
    assert toys.run({**graph, "t": node("Tell")}).end.outputs["s"] == {"text": ["t none"]}


def test_output_nodes_go_first_then_what_feeds_them() -> None:
    graph = {
        "far": node("Text", text="1"),
        "mid": node("Join", a=["far", 0], b=""),
        "long": node("Show", text=["mid", 0]),
        "near": node("Text", text="2"),
        "short": node("Show", text=["near", 0]),
        "free": node("Show", text="3"),
    }
    assert started(basic().run(graph)) == ["free", "near", "short", "far", "mid", "long"]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    size = draw(st.integers(1, 15))
    document: dict[str, Any] = {}
    for index in range(size):
        a, b = (
            [str(draw(st.integers(0, index - 1))), 0] if index and draw(st.booleans()) else f"{index}{name}"
            for name in "ab"
        )
        document[str(index)] = node("Join", a=a, b=b)
    for index in draw(st.lists(st.integers(0, size - 1), unique=True, min_size=1)):
        document[f"show{index}"] = node("Show", text=[str(index), 0])
    return document


def joined(document: dict[str, Any], given: Any) -> str:
    if not isinstance(given, list):
        return str(given)
    inputs = document[given[0]]["inputs"]
    return joined(document, inputs["a"]) + joined(document, inputs["b"])


@given(graphs(), st.sampled_from([ClassicCache, NoCache, lambda: LruCache(3)]))
def test_dependencies_run_first_and_once(document: dict[str, Any], make: Any) -> None:
    toys = basic(make())
    for _ in range(2):
        story = toys.run(document)
        assert isinstance(story.end, Succeeded)
        seen: set[str] = set(story.of(Cached)[0].nodes)
        for event in story.events:
            if isinstance(event, NodeStarted):
                assert event.node.node_id not in seen
                sources = [
                    value[0] for value in document[event.node.node_id]["inputs"].values() if isinstance(value, list)
                ]
                assert set(sources) <= seen
            elif isinstance(event, NodeDone):
                seen.add(event.node.node_id)

        expected = {
            name: {"text": [joined(document, body["inputs"]["text"])]}
            for name, body in document.items()
            if body["class_type"] == "Show"
        }
        assert story.end.outputs == expected


@pytest.mark.parametrize("make", [ClassicCache, NoCache])
def test_chain_of_ten_thousand(make: type[Cache]) -> None:
    graph = {"0": node("Text", text="a")}
    for index in range(1, 10_000):
        graph[str(index)] = node("Join", a=[str(index - 1), 0], b="")
    graph["out"] = node("Show", text=["9999", 0])
    toys = basic(make())
    story = toys.run(graph)
    assert story.end.outputs["out"] == {"text": ["a"]}
    assert len(toys.calls) == 10_001


# Values


def lists() -> Toys:
    toys = Toys()
    toys.add("Many", lambda: (["a", "b", "c"], "whole"), output=["STRING", "STRING"], lists=[True, False])
    toys.add("None", lambda: ([],), output=["STRING"], lists=[True])
    toys.add("Pair", lambda a, b="-": (f"{a}{b}",), required={"a": "*"}, optional={"b": "*"}, output=["STRING"])
    toys.add("All", lambda a, b: (f"{a}{b}",), required={"a": "*", "b": "*"}, output=["*"], is_input_list=True)
    toys.add("Show", lambda text: {"ui": {"text": [text]}}, required={"text": "*"}, output_node=True)
    return toys


def test_a_node_maps_over_lists() -> None:
    story = lists().run(
        {"1": node("Many"), "2": node("Pair", a=["1", 0], b=["1", 1]), "3": node("Show", text=["2", 0])}
    )
    assert story.end.outputs == {"3": {"text": ["awhole", "bwhole", "cwhole"]}}


def test_a_node_that_takes_lists_gets_all_of_them_at_once() -> None:
    story = lists().run({"1": node("Many"), "2": node("All", a=["1", 0], b=5), "3": node("Show", text=["2", 0])})
    assert story.end.outputs == {"3": {"text": ["['a', 'b', 'c'][5]"]}}


def test_an_empty_list_beside_another_value_fails_the_node() -> None:
    story = lists().run({"1": node("None"), "2": node("Pair", a=["1", 0], b="x"), "3": node("Show", text=["2", 0])})
    assert isinstance(story.end, Failed)
    assert story.end.node_id == "2"
    assert "empty list" in story.end.message


def test_hidden_inputs_and_wrapped_lists() -> None:
    toys = Toys()
    seen: dict[str, Any] = {}

    def look(**inputs: Any) -> dict[str, Any]:
        seen.update(inputs)
        return {}

    kinds = ["PROMPT", "EXTRA_PNGINFO", "UNIQUE_ID", "DYNPROMPT", "AUTH_TOKEN_COMFY_ORG", "API_KEY_COMFY_ORG", "OTHER"]
    hidden = {kind.lower(): kind if kind != "PROMPT" else ["PROMPT"] for kind in kinds}
    toys.add("Look", look, required={"list": "*"}, hidden=hidden, output_node=True)
    graph = {"7": node("Look", list={"__value__": [1, 2]})}
    toys.run(graph, extra_data={"extra_pnginfo": {"workflow": 1}, "auth_token_comfy_org": "token"})
    assert seen["list"] == [1, 2]
    assert seen["prompt"] == graph
    assert seen["extra_pnginfo"] == {"workflow": 1}
    assert seen["unique_id"] == "7"
    assert seen["dynprompt"].get_node("7") == graph["7"]
    assert seen["dynprompt"].get_display_node_id("7") == "7"
    assert seen["auth_token_comfy_org"] == "token"
    assert seen["api_key_comfy_org"] is None
    assert "other" not in seen


def test_raw_link_and_inputs_of_a_class_that_takes_any() -> None:
    toys = basic()
    seen: dict[str, Any] = {}
    toys.add(
        "Look",
        lambda **inputs: seen.update(inputs) or {},
        required={"link": ["STRING", {"rawLink": True}]},
        output_node=True,
        takes_any_input=True,
    )
    toys.run({"1": node("Text", text="a"), "2": node("Look", link=["1", 0], more=["1", 0], some=3)})
    assert seen == {"link": ["1", 0], "more": "a", "some": 3}


@pytest.mark.parametrize("result", ["text", 5, object(), {"ui": 3}, {"expand": 3}])
def test_result_without_outputs_fails_with_the_class_and_what_came(result: Any) -> None:
    toys = basic()
    toys.add("Odd", lambda: result, output=["STRING"])
    end = toys.run({"1": node("Odd"), "2": node("Show", text=["1", 0])}).end
    assert isinstance(end, Failed)
    assert end.node_id == "1"
    assert "Odd returned" in end.message


@pytest.mark.parametrize("result", [None, (), {}, [], {"ui": {}}, {"result": ()}])
def test_node_without_outputs_may_return_nothing(result: Any) -> None:
    toys = basic()
    toys.add("End", lambda: result, output_node=True)
    story = toys.run({"1": node("End")})
    assert isinstance(story.end, Succeeded)
    assert story.of(NodeDone)[0].output is None
    assert story.end.outputs == {}


def test_missing_output_is_told_at_its_consumer() -> None:
    toys = basic()
    toys.add("Few", lambda: ("a",), output=["STRING", "STRING"])
    end = toys.run({"1": node("Few"), "2": node("Show", text=["1", 1])}).end
    assert isinstance(end, Failed)
    assert end.node_id == "2"
    assert "there is no slot 1" in end.message


def test_ui_data_is_json_whatever_the_node_gave() -> None:
    toys = Toys()
    toys.add("Show", lambda: {"ui": {"n": (1, {2}), "one": object}}, output_node=True)
    outputs = toys.run({"1": node("Show")}).end.outputs["1"]
    assert outputs["n"] == [1, [2]]
    assert isinstance(outputs["one"][0], str)


# Instances and change detection


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def run(self) -> Any:
        self.count += 1
        return {"ui": {"count": [self.count]}}


def test_one_instance_per_node_is_kept_while_it_stays_in_the_graph() -> None:
    toys = Toys()
    toys.add("Count", lambda: (), create=Counter, output_node=True, always_changed=True)

    def counts(*ids: str) -> list[int]:
        outputs = toys.run({node_id: node("Count") for node_id in ids}).end.outputs
        return [outputs[node_id]["count"][0] for node_id in ids]

    assert counts("1", "2") == [1, 1]
    assert counts("1") == [2]
    assert counts("1", "2") == [3, 1]
    toys.executor.clear()
    assert counts("1", "2") == [1, 1]


def test_change_detection_sees_constants_and_decides() -> None:
    toys = basic()
    state: list[Any] = ["one"]
    seen: list[dict[str, Any]] = []

    def changed(**inputs: Any) -> Any:
        seen.append(inputs)
        if isinstance(state[0], Exception):
            raise state[0]
        return state[0]

    toys.add(
        "File",
        lambda name, link=None: (name,),
        required={"name": "STRING"},
        optional={"link": "STRING"},
        output=["STRING"],
        fingerprint=changed,
    )
    graph = {"0": node("Text", text="t"), "1": node("File", name="x", link=["0", 0]), "2": node("Show", text=["1", 0])}
    toys.run(graph)
    assert seen == [{"name": "x", "link": None}]
    toys.run(graph)
    assert toys.calls == []
    state[0] = "two"
    toys.run(graph)
    assert toys.calls == ["File", "Show"]
    for never in (float("nan"), ValueError("no such file")):
        state[0] = never
        for _ in range(2):
            toys.run(graph)
            assert toys.calls == ["File", "Show"]


def test_change_detection_may_be_asynchronous() -> None:
    async def changed(**inputs: Any) -> str:
        return "same"

    toys = Toys()
    toys.add("Show", lambda: {}, output_node=True, fingerprint=changed)
    with toys.executor:
        toys.run({"1": node("Show")})
        toys.run({"1": node("Show")})
    assert toys.calls == []


@pytest.mark.parametrize("engine", [{"not_idempotent": True}, {"hidden": {"id": "UNIQUE_ID"}}])
def test_classes_that_depend_on_their_id_do_not_share_results(engine: dict[str, Any]) -> None:
    toys = Toys()
    toys.add("Show", lambda id=None: {}, output_node=True, **engine)
    toys.run({"1": node("Show"), "2": node("Show")})
    assert toys.calls == ["Show", "Show"]
    toys.run({"1": node("Show"), "2": node("Show")})
    assert toys.calls == []


def test_cached_ui_of_an_intermediate_node_is_shown_when_it_asks_for_it() -> None:
    toys = basic()
    toys.add(
        "Peek", lambda text: {"ui": {"peek": [text]}, "result": (text,)}, required={"text": "STRING"}, output=["STRING"]
    )
    graph = {"1": node("Peek", text="a"), "2": node("Show", text=["1", 0])}
    toys.run(graph)
    assert toys.run(graph).names() == ["Started", "Cached", "NodeDone 2", "Succeeded"]
    shown = basic()
    shown.add(
        "Peek",
        lambda text: {"ui": {"peek": [text]}, "result": (text,)},
        required={"text": "STRING"},
        output=["STRING"],
        has_intermediate_output=True,
    )
    shown.run(graph)
    story = shown.run(graph)
    assert story.names() == ["Started", "Cached", "NodeDone 2", "NodeDone 1", "Succeeded"]
    assert story.events[3].show
    assert story.events[3].output == {"peek": ["a"]}


# Failure and interruption


def test_an_exception_fails_the_run_with_its_node_and_inputs() -> None:
    graph = {"1": node("Text", text="a"), "3": node("Fail", text=["1", 0]), "2": node("Show", text=["3", 0])}
    end = basic().run(graph).end
    assert isinstance(end, Failed)
    assert (end.node_id, end.class_type, end.exception_type) == ("3", "Fail", "ValueError")
    assert end.message == "cannot use a\n"
    assert end.inputs == {"text": ["a"]}
    assert end.executed == ["1"]
    assert end.current_outputs == ["1"]


def test_outputs_of_nodes_that_finished_before_a_failure_are_kept() -> None:
    graph = {**PAIR, "3": node("Fail", text=["1", 0]), "4": node("Show", text=["3", 0])}
    end = basic().run(graph).end
    assert isinstance(end, Failed)
    assert end.outputs == {"2": {"text": ["a"]}}
    assert set(end.meta) == {"2"}


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), MemoryError("all of it"), RecursionError("deep")])
def test_whatever_a_node_raises_ends_its_own_job_only(error: BaseException) -> None:
    toys = basic()

    def leave() -> None:
        raise error

    toys.add("Leave", leave, output_node=True)
    end = toys.run({"1": node("Leave")}).end
    assert isinstance(end, Failed)
    assert end.exception_type == type(error).__name__
    assert isinstance(toys.run(PAIR).end, Succeeded)


def test_keyboard_interrupt_passes_through() -> None:
    toys = Toys()

    def stop() -> None:
        raise KeyboardInterrupt

    toys.add("Stop", stop, output_node=True)
    with pytest.raises(KeyboardInterrupt):
        toys.run({"1": node("Stop")})


def test_unknown_class_at_run_time_fails_at_its_node() -> None:
    toys = basic()
    del toys.implementations["Text"]
    end = toys.run(PAIR).end
    assert isinstance(end, Failed)
    assert end.node_id == "1"
    assert "'Text' is not available" in end.message


def test_out_of_memory_calls_the_hook_when_the_failed_call_is_forgotten() -> None:
    class OutOfMemoryError(RuntimeError):
        pass

    held: list[int] = []

    class Big:
        pass

    alive = [0]

    def allocate() -> None:
        big = Big()
        alive[0] = sys.getrefcount(big)
        hooked.append(big)
        raise OutOfMemoryError("CUDA out of memory")

    hooked: list[Big] = []
    toys = Toys(on_out_of_memory=lambda: held.append(sys.getrefcount(hooked[0])))
    toys.add("Allocate", allocate, output_node=True)
    end = toys.run({"1": node("Allocate")}).end
    assert isinstance(end, Failed)
    assert end.message.startswith("CUDA out of memory\n")
    assert "smaller" in end.message
    assert end.message.endswith("\n")
    assert held == [2], "the list and the argument: the frame is gone"


def test_interrupt_before_a_node() -> None:
    toys = basic()

    def show(text: str) -> dict[str, Any]:
        toys.interrupted = True
        return {"ui": {"text": [text]}}

    toys.add("Stop", show, required={"text": "STRING"}, output=["STRING"])
    end = toys.run({"1": node("Stop", text="a"), "2": node("Show", text=["1", 0])}).end
    assert isinstance(end, Interrupted)
    assert (end.node_id, end.class_type, end.executed) == ("2", "Show", ["1"])
    assert end.outputs == {"1": {"text": ["a"]}}


def test_interrupt_within_a_node_and_between_its_calls() -> None:
    toys = lists()
    made: list[int] = []

    def work(a: str) -> tuple[str]:
        made.append(1)
        toys.interrupted = True
        return (a,)

    def steps() -> tuple[()]:
        for step in range(10):
            context.progress(step, 10)
            toys.interrupted = step == 3
        return ()

    toys.add("Work", work, required={"a": "*"}, output=["*"])
    toys.add("Steps", steps, output_node=True)
    assert isinstance(toys.run({"1": node("Many"), "2": node("Work", a=["1", 0])}, ["2"]).end, Interrupted)
    assert len(made) == 1
    toys.interrupted = False
    story = toys.run({"1": node("Steps")})
    assert isinstance(story.end, Interrupted)
    assert [event.value for event in story.of(Progress)] == [0, 1, 2, 3]


def test_interrupt_is_not_swallowed_by_a_node() -> None:
    toys = Toys()

    def stubborn() -> tuple[()]:
        try:
            raise InterruptProcessing
        except Exception:
            return ()

    toys.add("Stubborn", stubborn, output_node=True)
    assert isinstance(toys.run({"1": node("Stubborn")}).end, Interrupted)


# Lazy inputs


def switch(toys: Toys, **lazy: Any) -> None:
    toys.add(
        "Switch",
        lambda on, yes=None, no=None: (yes if on else no,),
        required={"on": "BOOLEAN"},
        optional={"yes": ["STRING", {"lazy": True}], "no": ["STRING", {"lazy": True}]},
        output=["STRING"],
        **lazy,
    )


def branches(on: bool) -> dict[str, Any]:
    return {
        "y": node("Text", text="yes"),
        "n": node("Fail", text="no"),
        "s": node("Switch", on=on, yes=["y", 0], no=["n", 0]),
        "out": node("Show", text=["s", 0]),
    }


@pytest.mark.parametrize("make", [ClassicCache, NoCache])
def test_only_requested_branches_run(make: type[Cache]) -> None:
    toys = basic(make())
    switch(toys, check_lazy=lambda _, inputs: ["yes"] if inputs["on"] else ["no"])
    story = toys.run(branches(True))
    assert started(story) == ["s", "y", "s", "out"]
    assert story.end.outputs["out"] == {"text": ["yes"]}
    assert isinstance(toys.run(branches(False)).end, Failed)


def test_requests_go_on_until_nothing_new_is_asked_for() -> None:
    toys = basic()

    def one_after_the_other(_: Any, inputs: dict[str, Any]) -> list[str]:
        if inputs["yes"] is None:
            return ["yes"]
        return ["no", "on", "yes"]

    switch(toys, check_lazy=one_after_the_other)
    graph = {**branches(False), "n": node("Text", text="no")}
    story = toys.run(graph)
    assert started(story) == ["s", "y", "s", "n", "s", "out"]
    assert story.end.outputs["out"] == {"text": ["no"]}


def test_lazy_status_may_be_asynchronous() -> None:
    async def ask(_: Any, inputs: dict[str, Any]) -> list[str]:
        return ["yes"]

    toys = basic()
    switch(toys, check_lazy=ask)
    with toys.executor:
        assert toys.run(branches(True)).end.outputs["out"] == {"text": ["yes"]}


def test_without_lazy_status_lazy_inputs_arrive_as_none_unless_somebody_else_computed_them() -> None:
    toys = basic()
    toys.add(
        "Both",
        lambda yes=None, no=None, wait=None: {"ui": {"got": [yes, no]}},
        optional={"yes": ["STRING", {"lazy": True}], "no": ["STRING", {"lazy": True}], "wait": "STRING"},
        output_node=True,
    )
    graph = {
        "y": node("Text", text="yes"),
        "n": node("Fail", text="no"),
        "j": node("Join", a=["y", 0], b=""),
        "b": node("Both", yes=["y", 0], no=["n", 0], wait=["j", 0]),
    }
    assert toys.run(graph).end.outputs["b"] == {"got": ["yes", None]}


def test_asking_for_an_input_that_the_node_lacks_is_an_error() -> None:
    toys = basic()
    switch(toys, check_lazy=lambda *_: ["nothing"])
    end = toys.run(branches(True)).end
    assert isinstance(end, Failed)
    assert end.node_id == "s"
    assert "'nothing'" in end.message


# Blockers


def test_a_blocked_branch_ends_quietly_and_the_run_succeeds() -> None:
    toys = basic()
    toys.add("Block", lambda: (ExecutionBlocker(None),), output=["STRING"])
    graph = {**PAIR, "b": node("Block"), "j": node("Join", a=["b", 0], b="x"), "s": node("Show", text=["j", 0])}
    story = toys.run(graph)
    assert isinstance(story.end, Succeeded)
    assert set(story.end.outputs) == {"2"}
    assert story.of(Blocked) == []
    assert "Join" not in toys.calls


def test_a_blockers_message_is_told_once_at_its_first_consumer() -> None:
    toys = basic()
    toys.add("Block", lambda: ExecutionBlocker("not today"), output=["STRING", "STRING"])
    graph = {"b": node("Block"), "j": node("Join", a=["b", 0], b=["b", 1]), "s": node("Show", text=["j", 0])}
    story = toys.run(graph)
    (blocked,) = story.of(Blocked)
    assert (blocked.node.node_id, blocked.class_type, blocked.message) == ("j", "Join", "not today")
    assert blocked.executed == ["b"]
    assert isinstance(story.end, Succeeded)


def test_one_blocked_element_of_a_list_blocks_its_own_call_only() -> None:
    toys = lists()
    toys.add("Holes", lambda: (["a", ExecutionBlocker(None), "c"],), output=["STRING"], lists=[True])
    graph = {"1": node("Holes"), "2": node("Pair", a=["1", 0]), "3": node("Show", text=["2", 0])}
    assert toys.run(graph).end.outputs["3"] == {"text": ["a-", "c-"]}
    graph["2"] = node("All", a=["1", 0], b="x")
    assert toys.run(graph).end.outputs == {}


# Validators


def test_validators_are_asked_at_the_start_when_the_job_says_so() -> None:
    toys = basic()
    toys.documents["Picky"] = {}
    toys.add("Picky", lambda a: {}, required={"a": "INT"}, output_node=True, has_validator=True, validated_inputs=["a"])
    picky = toys.implementations["Picky"]
    toys.implementations["Picky"] = type(picky)(
        picky.schema, picky.create, validate=lambda a: True if a < 5 else f"{a} is too many"
    )
    graph = {**PAIR, "3": node("Picky", a=7)}
    end = toys.run(graph, ask_validators=True).end
    assert isinstance(end, Failed)
    assert (end.node_id, toys.calls) == ("3", [])
    assert "7 is too many" in end.message
    assert isinstance(toys.run(graph).end, Succeeded)
    assert isinstance(toys.run({**graph, "3": node("Picky", a=1)}, ask_validators=True).end, Succeeded)
    assert toys.executor.validate(ValidatorCall("3", "Picky", {"a": 9}, {})).results == ["9 is too many"]
    assert toys.executor.validate(ValidatorCall("3", "Picky", {"a": "x"}, {})).exception_type == "TypeError"
    assert Graph.parse(graph).nodes["3"].inputs == {"a": 7}


def test_ui_data_is_plain_whatever_a_node_puts_there() -> None:
    toys = Toys()
    odd = ["\ud83d\ude00 \ud800", 2**70, -(2**63), object, {"\udcff": (1, {2**65})}]
    toys.add("Odd", lambda: {"ui": {"odd\ud800": odd}}, output_node=True)
    end = toys.run({"1": node("Odd")}).end
    assert isinstance(end, Succeeded)
    emoji, big, small, words, nested = end.outputs["1"]["odd\ufffd"]
    assert (emoji, big, small) == ("\U0001f600 \ufffd", str(2**70), -(2**63))
    assert "object" in words
    assert nested == {"\ufffd": [1, [str(2**65)]]}
    msgspec.msgpack.encode(end)


def test_bytes_in_ui_data_are_an_error_that_names_node_and_key() -> None:
    toys = Toys()
    toys.add("Raw", lambda: {"ui": {"images": [{"data": b"abc"}]}}, output_node=True)
    end = toys.run({"7": node("Raw")}).end
    assert isinstance(end, Failed)
    assert end.node_id == "7"
    assert "node 7 (Raw)" in end.message
    assert "'images'" in end.message


def test_texts_of_a_failure_can_be_sent_whatever_they_hold() -> None:
    toys = Toys()

    def fail(text: Any) -> None:
        raise ValueError(f"no {text} \ud800")

    toys.add("Make", lambda: ("\udcff",), output=["STRING"])
    toys.add("Fail", fail, required={"text": "STRING"}, output_node=True)
    end = toys.run({"1": node("Make"), "2": node("Fail", text=["1", 0])}).end
    assert isinstance(end, Failed)
    assert end.message == "no \ufffd \ufffd\n"
    assert end.inputs == {"text": ["\ufffd"]}
    msgspec.msgpack.encode(end)


class Picture:
    """Something large."""


@pytest.mark.parametrize("ending", ["well", "by a failure", "by an interrupt", "in an expansion"])
def test_values_are_gone_with_their_run_without_the_garbage_collector(ending: str) -> None:
    alive: list[weakref.ref[Picture]] = []

    def make(text: str) -> Any:
        made = Picture()
        alive.append(weakref.ref(made))
        return (made,)

    def use(picture: Picture) -> Any:
        if ending == "by a failure":
            raise ValueError("as asked")
        if ending == "by an interrupt":
            raise InterruptProcessing
        if ending == "in an expansion":
            return {"result": (["9", 0],), "expand": {"9": {"class_type": "Make", "inputs": {"text": "inner"}}}}
        return (picture,)

    toys = Toys(NoCache())
    toys.add("Make", make, required={"text": "STRING"}, output=["PICTURE"])
    toys.add("Use", use, required={"picture": "PICTURE"}, output=["PICTURE"])
    toys.add("Show", lambda picture: {}, required={"picture": "PICTURE"}, output_node=True)
    gc.collect()
    gc.disable()
    try:
        toys.run(
            {
                "1": {"class_type": "Make", "inputs": {"text": "a"}},
                "2": {"class_type": "Use", "inputs": {"picture": ["1", 0]}},
                "3": {"class_type": "Show", "inputs": {"picture": ["2", 0]}},
            }
        )
        assert alive
        assert [picture() for picture in alive] == [None] * len(alive)
    finally:
        gc.enable()
