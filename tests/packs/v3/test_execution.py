"""V3 classes in runs: calls, hidden values, results in all forms, caching, laziness, lists, expansion, validators."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from inglenook.engine.blocker import ExecutionBlocker
from inglenook.engine.events import Blocked, Failed, NodeDone, Succeeded
from inglenook.packs.v3 import io
from tests.engine.toys import node
from tests.packs.v3.harness import Nodes, error_of


@pytest.fixture
def nodes() -> Iterator[Callable[..., Nodes]]:
    made: list[Nodes] = []

    def make(*classes: type[io.ComfyNode]) -> Nodes:
        made.append(Nodes(*classes))
        return made[-1]

    yield make
    for item in made:
        item.close()


def returning(value: Callable[[], Any], outputs: int = 1, **schema: Any) -> type[io.ComfyNode]:
    """A class `Gives` whose result `value` makes."""

    class Gives(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema("Gives", outputs=[io.String.Output() for _ in range(outputs)], **schema)

        @classmethod
        def execute(cls) -> Any:
            return value()

    return Gives


def shown(made: Nodes, class_type: str, **inputs: Any) -> Any:
    """What a run with one output node tells; `t` is a linkable Text."""
    story = made.run({"t": node("Text", text="linked"), "n": node(class_type, **inputs)})
    assert isinstance(story.end, Succeeded), error_of(story)
    return story.end.outputs.get("n")


class Slow(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema("Slow", inputs=[io.String.Input("text")], outputs=[io.String.Output()])

    @classmethod
    async def execute(cls, text: str) -> io.NodeOutput:
        await asyncio.sleep(0)
        return io.NodeOutput(text.upper())


class Inspect(io.ComfyNode):
    """Tells its hidden values; has an input with the name of one."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            "Inspect",
            inputs=[io.String.Input("prompt")],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
            is_output_node=True,
            is_api_node=True,
        )

    @classmethod
    def execute(cls, prompt: str, **others: Any) -> io.NodeOutput:
        hidden = cls.hidden
        assert not others, "hidden values are no arguments"
        return io.NodeOutput(
            ui={
                "input": [prompt],
                "id": [hidden.unique_id],
                "class": [hidden.prompt["n"]["class_type"]],
                "workflow": [hidden.extra_pnginfo],
                "real": [hidden.dynprompt.get_real_node_id("n")],
                "token": [hidden.auth_token_comfy_org, hidden.api_key_comfy_org],
                "absent": [hidden.comfy_usage_source, hidden.whatever],
            }
        )


def test_sync_and_async_functions_give_their_outputs(nodes: Callable[..., Nodes]) -> None:
    made = nodes(Slow)
    assert made.value("Text", text="a") == "a"
    assert made.implementations["Slow"].is_async
    assert made.value("Slow", text="a") == "A"
    assert made.value("Slow", text=["t", 0]) == "LINKED"


def test_hidden_values_are_on_the_class_and_hide_no_input(nodes: Callable[..., Nodes]) -> None:
    story = nodes(Inspect).run(
        {"n": node("Inspect", prompt="a cat")},
        extra_data={"extra_pnginfo": {"workflow": {"id": 1}}, "auth_token_comfy_org": "secret-token"},
    )
    assert isinstance(story.end, Succeeded), error_of(story)
    assert story.end.outputs["n"] == {
        "input": ["a cat"],
        "id": ["n"],
        "class": ["Inspect"],
        "workflow": [{"workflow": {"id": 1}}],
        "real": ["n"],
        "token": ["secret-token", None],
        "absent": [None, None],
    }


def test_hidden_values_reach_a_class_that_takes_lists_as_they_are(nodes: Callable[..., Nodes]) -> None:
    class Lists(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema(
                "Lists",
                inputs=[io.String.Input("text"), io.Int.Input("n")],
                hidden=[io.Hidden.unique_id],
                is_input_list=True,
                is_output_node=True,
            )

        @classmethod
        def execute(cls, text: list[str], n: list[int]) -> io.NodeOutput:
            return io.NodeOutput(ui={"all": [text, n, cls.hidden.unique_id]})

    assert shown(nodes(Lists), "Lists", text=["t", 0], n=3)["all"] == [["linked"], [3], "n"]


def test_what_a_call_sets_on_its_class_does_not_stay(nodes: Callable[..., Nodes]) -> None:
    class Counts(io.ComfyNode):
        count = 0

        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema("Counts", inputs=[io.Int.Input("n")], is_output_node=True)

        @classmethod
        def execute(cls, n: int) -> io.NodeOutput:
            cls.count += 1
            return io.NodeOutput(ui={"count": [cls.count]})

    made = nodes(Counts)
    assert shown(made, "Counts", n=1) == {"count": [1]}
    assert shown(made, "Counts", n=2) == {"count": [1]}
    assert Counts.count == 0
    assert Counts.hidden.unique_id is None


@pytest.mark.parametrize(
    "value",
    [
        lambda: io.NodeOutput("x"),
        lambda: ("x",),
        lambda: {"result": ("x",)},
        lambda: {"result": ("x",), "ui": {"text": ["y"]}},
        lambda: io.NodeOutput("x", ui={"text": ["y"]}),
    ],
)
def test_outputs_may_be_a_node_output_a_tuple_or_a_dict(nodes: Callable[..., Nodes], value: Callable[[], Any]) -> None:
    assert nodes(returning(value)).value("Gives") == "x"


@pytest.mark.parametrize("value", [lambda: None, lambda: (), lambda: {}, lambda: io.NodeOutput()])
def test_a_node_without_outputs_may_return_nothing(nodes: Callable[..., Nodes], value: Callable[[], Any]) -> None:
    story = nodes(returning(value, 0, is_output_node=True)).run({"n": node("Gives")})
    assert isinstance(story.end, Succeeded), error_of(story)


def test_a_result_of_no_known_form_is_an_error_that_names_class_and_type(nodes: Callable[..., Nodes]) -> None:
    story = nodes(returning(lambda: 3)).run({"n": node("Gives"), "s": node("Show", value=["n", 0])})
    assert isinstance(story.end, Failed)
    assert "Gives returned 3 (int)" in story.end.message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda: io.NodeOutput(block_execution="not today"), "not today"),
        (lambda: ExecutionBlocker("not today"), "not today"),
        (lambda: {"result": ExecutionBlocker("not today"), "ui": {"text": ["y"]}}, "not today"),
        (lambda: io.NodeOutput(ExecutionBlocker("not today")), "not today"),
        (lambda: ExecutionBlocker(None), None),
        (lambda: io.NodeOutput(block_execution=""), None),
    ],
)
def test_a_block_stops_what_comes_after_and_not_the_run(
    nodes: Callable[..., Nodes], value: Callable[[], Any], message: str | None
) -> None:
    story = nodes(returning(value)).run({"n": node("Gives"), "s": node("Show", value=["n", 0])})
    assert isinstance(story.end, Succeeded), error_of(story)
    assert "s" not in story.end.outputs
    assert [event.message for event in story.of(Blocked)] == ([] if message is None else [message])


def test_lists_are_mapped_over_and_list_outputs_joined(nodes: Callable[..., Nodes]) -> None:
    class Many(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema("Many", outputs=[io.Int.Output(is_output_list=True)])

        @classmethod
        def execute(cls) -> io.NodeOutput:
            return io.NodeOutput([1, 2, 3])

    class Double(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema("Double", inputs=[io.Int.Input("n")], is_output_node=True)

        @classmethod
        def execute(cls, n: int) -> io.NodeOutput:
            return io.NodeOutput(ui={"n": [2 * n]})

    made = nodes(Many, Double)
    end = made.run({"m": node("Many"), "d": node("Double", n=["m", 0])}).end
    assert isinstance(end, Succeeded)
    assert end.outputs["d"] == {"n": [2, 4, 6]}


def expanding(enable: bool) -> type[io.ComfyNode]:
    class Expands(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema(
                "Expands", inputs=[io.String.Input("text")], outputs=[io.String.Output()], enable_expand=enable
            )

        @classmethod
        def execute(cls, text: str) -> io.NodeOutput:
            graph = {"n.0.0.inner": {"class_type": "Slow", "inputs": {"text": text}}}
            return io.NodeOutput(["n.0.0.inner", 0], expand=graph)

    return Expands


def test_a_node_may_return_a_graph_in_its_place(nodes: Callable[..., Nodes]) -> None:
    assert nodes(expanding(True), Slow).value("Expands", text=["t", 0]) == "LINKED"


def test_a_graph_from_a_class_that_did_not_announce_it_is_an_error(nodes: Callable[..., Nodes]) -> None:
    made = nodes(expanding(False), Slow)
    story = made.run({"n": node("Expands", text="x"), "s": node("Show", value=["n", 0])})
    assert isinstance(story.end, Failed)
    assert "enable_expand=True" in story.end.message


def test_fingerprint_decides_whether_a_result_is_used_again(nodes: Callable[..., Nodes]) -> None:
    state = {"mark": 1.0, "calls": 0}

    class Reads(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema("Reads", inputs=[io.String.Input("text")], is_output_node=True)

        @classmethod
        def fingerprint_inputs(cls, text: str | None) -> float:
            return state["mark"]

        @classmethod
        def execute(cls, text: str) -> io.NodeOutput:
            state["calls"] += 1
            return io.NodeOutput(ui={"text": [text]})

    made = nodes(Reads)
    graph = {"n": node("Reads", text="a")}
    for mark, calls in ((1.0, 1), (1.0, 1), (2.0, 2), (float("nan"), 3), (float("nan"), 4)):
        state["mark"] = mark
        story = made.run(graph)
        assert isinstance(story.end, Succeeded), error_of(story)
        assert state["calls"] == calls
    assert [event.cached for event in made.run(graph).of(NodeDone)] == [False]


def test_results_are_used_again_without_a_fingerprint_too(nodes: Callable[..., Nodes]) -> None:
    made = nodes(Slow)
    graph = {"n": node("Slow", text="a"), "s": node("Show", value=["n", 0])}
    made.run(graph)
    assert all(event.cached for event in made.run(graph).of(NodeDone))


class Switch(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        sides = [io.String.Input(name, lazy=True, optional=True) for name in ("yes", "no")]
        return io.Schema("Switch", inputs=[io.Boolean.Input("on"), *sides], outputs=[io.String.Output()])

    @classmethod
    def check_lazy_status(cls, on: bool, yes: str | None = None, no: str | None = None) -> list[str]:
        wanted, value = ("yes", yes) if on else ("no", no)
        return [wanted] if value is None else []

    @classmethod
    def execute(cls, on: bool, yes: str | None = None, no: str | None = None) -> io.NodeOutput:
        return io.NodeOutput(f"{yes} {no}")


def test_a_lazy_branch_runs_only_when_the_node_asks_for_it(nodes: Callable[..., Nodes]) -> None:
    made = nodes(Switch, Slow)
    graph = {
        "a": node("Slow", text="a"),
        "b": node("Slow", text="b"),
        "n": node("Switch", on=False, yes=["a", 0], no=["b", 0]),
        "s": node("Show", value=["n", 0]),
    }
    story = made.run(graph)
    assert isinstance(story.end, Succeeded), error_of(story)
    assert story.end.outputs["s"]["value"] == ["None B"]
    assert "NodeStarted a" not in story.names()


def validated(**methods: Any) -> type[io.ComfyNode]:
    class Checked(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema(
                "Checked",
                inputs=[io.Int.Input("n", max=10), io.String.Input("text", optional=True)],
                is_output_node=True,
            )

        @classmethod
        def execute(cls, n: int, text: str = "") -> io.NodeOutput:
            return io.NodeOutput(ui={"n": [n]})

    for name, method in methods.items():
        setattr(Checked, name, classmethod(method))
    return Checked


def test_validator_replaces_range_checks_and_its_reason_ends_the_run(nodes: Callable[..., Nodes]) -> None:
    made = nodes(validated(validate_inputs=lambda cls, n: True if n % 2 == 0 else f"{n} is odd"))
    for number, message in ((20, None), (21, "21 is odd")):
        graph = {"n": node("Checked", n=number)}
        result = made.check(graph)
        assert result.error is None  # over max, which is the validator's business now
        (question,) = result.questions
        answer = made.executor.validate(question)
        assert answer.results == [True if message is None else message]
        story = made.run(graph, ask_validators=True)
        assert isinstance(story.end, Succeeded if message is None else Failed)
        assert message is None or message in error_of(story)


def test_range_is_checked_without_a_validator(nodes: Callable[..., Nodes]) -> None:
    (problem,) = nodes(validated()).check({"n": node("Checked", n=20)}).node_errors["n"]["errors"]
    assert problem["type"] == "value_bigger_than_max"


def test_validator_with_input_types_hears_what_is_linked(nodes: Callable[..., Nodes]) -> None:
    heard: dict[str, Any] = {}

    def validate(cls: Any, text: str | None, input_types: dict[str, str]) -> bool:
        heard.update(types=input_types, text=text)
        return True

    made = nodes(validated(validate_inputs=validate))
    graph = {"t": node("Text", text="x"), "n": node("Checked", n=["t", 0], text=["t", 0])}
    result = made.check(graph)
    assert result.error is None  # a STRING for an INT: the class checks types itself
    made.executor.validate(result.questions[0])
    assert heard == {"types": {"n": "STRING", "text": "STRING"}, "text": None}


def test_asynchronous_validator_is_waited_for(nodes: Callable[..., Nodes]) -> None:
    async def validate(cls: Any, **inputs: Any) -> str:
        await asyncio.sleep(0)
        return f"no {sorted(inputs)}"

    story = nodes(validated(validate_inputs=validate)).run({"n": node("Checked", n=1)}, ask_validators=True)
    assert "no ['n']" in error_of(story)


def test_choices_of_an_enum_are_checked_and_arrive_as_values(nodes: Callable[..., Nodes]) -> None:
    class Picks(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema(
                "Picks",
                inputs=[
                    io.Combo.Input("one", options=io.FolderType),
                    io.MultiCombo.Input("many", options=["a", "b"], optional=True),
                ],
                is_output_node=True,
            )

        @classmethod
        def execute(cls, one: str, many: list[str] | None = None) -> io.NodeOutput:
            return io.NodeOutput(ui={"picked": [one, many]})

    made = nodes(Picks)
    assert shown(made, "Picks", one="temp", many={"__value__": ["a", "b"]})["picked"] == ["temp", ["a", "b"]]
    assert made.check({"n": node("Picks", one="temp")}).error is None
    for inputs in ({"one": "attic"}, {"one": "temp", "many": {"__value__": ["a", "c"]}}):
        (problem,) = made.check({"n": node("Picks", **inputs)}).node_errors["n"]["errors"]
        assert problem["type"] == "value_not_in_list"


def test_a_class_that_accepts_all_inputs_gets_undeclared_ones(nodes: Callable[..., Nodes]) -> None:
    class Any_(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema("Any", accept_all_inputs=True, is_output_node=True)

        @classmethod
        def execute(cls, **inputs: Any) -> io.NodeOutput:
            return io.NodeOutput(ui={"inputs": [inputs]})

    assert shown(nodes(Any_), "Any", a=1, b=["t", 0])["inputs"] == [{"a": 1, "b": "linked"}]


def test_an_exception_of_the_node_is_the_runs_error_without_its_hidden_inputs(nodes: Callable[..., Nodes]) -> None:
    class Fails(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema("Fails", inputs=[io.Int.Input("n")], is_output_node=True)

        @classmethod
        def execute(cls, n: int) -> io.NodeOutput:
            raise ValueError(f"cannot use {n}")

    story = nodes(Fails).run({"n": node("Fails", n=3)})
    assert isinstance(story.end, Failed)
    assert (story.end.exception_type, story.end.inputs) == ("ValueError", {"n": [3]})
