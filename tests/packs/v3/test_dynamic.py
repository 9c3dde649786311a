"""Dynamic inputs: what `execute`, validators and lazy checks are given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from inglenook.packs.v3 import io
from tests.engine.toys import node
from tests.packs.v3.harness import Nodes, error_of

MATCH = io.MatchType.Template("T", [io.String, io.Int])
PREFIX = io.Autogrow.TemplatePrefix(io.String.Input("image"), prefix="image", min=1, max=3)
NAMES = io.Autogrow.TemplateNames(io.Int.Input("n", min=0), names=["left", "right"], min=0)
MODE = [
    io.DynamicCombo.Option("scale", [io.Int.Input("width", max=100), io.String.Input("note", optional=True)]),
    io.DynamicCombo.Option(
        "method", [io.DynamicCombo.Input("how", [io.DynamicCombo.Option("fast", [io.Int.Input("n")])])]
    ),
    io.DynamicCombo.Option("many", [io.Autogrow.Input("images", PREFIX)]),
]


def taking(*inputs: io.Input, **methods: Any) -> type[io.ComfyNode]:
    """A class `Takes` whose output is the dict of its arguments."""

    class Takes(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema("Takes", inputs=list(inputs), outputs=[io.MatchType.Output(MATCH)], is_output_node=True)

        @classmethod
        def execute(cls, **given: Any) -> io.NodeOutput:
            return io.NodeOutput(given)

    for name, method in methods.items():
        setattr(Takes, name, classmethod(method))
    return Takes


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    made = Nodes(
        taking(
            io.Autogrow.Input("images", PREFIX),
            io.Autogrow.Input("sides", NAMES, optional=True),
            io.DynamicCombo.Input("mode", MODE),
            io.DynamicSlot.Input(io.String.Input("slot"), [io.Float.Input("strength")]),
            io.MatchType.Input("same", MATCH, optional=True),
        )
    )
    yield made
    made.close()


def test_each_kind_arrives_as_the_value_that_packs_expect(nodes: Nodes) -> None:
    given = {
        "images.image0": ["t", 0],
        "images.image2": "x",
        "sides.right": 4,
        "mode": "scale",
        "mode.width": 10,
        "slot": ["t", 0],
        "slot.strength": 0.5,
        "same": ["t", 0],
    }
    graph = {"t": node("Text", text="linked"), "n": node("Takes", **given)}
    assert nodes.check(graph).error is None
    assert nodes.value("Takes", **given) == {
        "images": {"image0": "linked", "image2": "x"},
        "sides": {"right": 4},
        "mode": {"mode": "scale", "width": 10},
        "slot": {"slot": "linked", "strength": 0.5},
        "same": "linked",
    }


def test_choices_nest(nodes: Nodes) -> None:
    given = {"images.image0": "x", "mode": "method", "mode.how": "fast", "mode.how.n": 3}
    assert nodes.value("Takes", **given)["mode"] == {"mode": "method", "how": {"how": "fast", "n": 3}}
    given = {"images.image0": "x", "mode": "many", "mode.images.image0": "y"}
    assert nodes.value("Takes", **given)["mode"] == {"mode": "many", "images": {"image0": "y"}}


@pytest.mark.parametrize(
    ("given", "kind", "details"),
    [
        ({"mode": "scale", "mode.width": 1}, "required_input_missing", "image0"),
        ({"images.image0": "x", "mode": "scale"}, "required_input_missing", "width"),
        ({"images.image0": "x", "mode": "scale", "mode.width": 1000}, "value_bigger_than_max", "mode.width"),
        ({"images.image0": "x", "mode": "spin"}, "value_not_in_list", "mode: 'spin' not in"),
        (
            {"images.image0": "x", "images.image3": "y", "mode": "scale", "mode.width": 1},
            "invalid_dynamic_input",
            "images.image3: at most 3",
        ),
    ],
)
def test_what_is_missing_or_wrong_inside_is_reported(
    nodes: Nodes, given: dict[str, Any], kind: str, details: str
) -> None:
    (problem,) = nodes.check({"n": node("Takes", **given)}).node_errors["n"]["errors"]
    assert problem["type"] == kind
    assert problem["details"].startswith(details)


def test_validator_of_everything_gets_dynamic_inputs_put_together() -> None:
    heard: list[Any] = []

    def validate(cls: Any, **inputs: Any) -> bool:
        heard.append(inputs)
        return True

    made = Nodes(
        taking(io.Autogrow.Input("images", PREFIX), io.DynamicCombo.Input("mode", MODE), validate_inputs=validate)
    )
    given = {"images.image0": "x", "mode": "scale", "mode.width": 1000}
    result = made.check({"n": node("Takes", **given)})
    assert result.error is None
    assert made.executor.validate(result.questions[0]).results == [True]
    assert heard == [{"images": {"image0": "x"}, "mode": {"mode": "scale", "width": 1000}}]
    made.close()


def test_validator_that_names_a_choice_gets_only_what_it_names() -> None:
    made = Nodes(
        taking(
            io.Autogrow.Input("images", PREFIX),
            io.DynamicCombo.Input("mode", MODE),
            validate_inputs=lambda cls, mode: f"no {mode}",
        )
    )
    result = made.check({"n": node("Takes", **{"images.image0": "x", "mode": "scale", "mode.width": 5})})
    assert made.executor.validate(result.questions[0]).results == ["no {'mode': 'scale'}"]
    made.close()


def test_lazy_parts_are_asked_for_by_their_full_name() -> None:
    def check(cls: Any, images: dict[str, tuple[Any, str]]) -> list[str]:
        value, key = images["image1"]
        return [key] if value is None else []

    growing = io.Autogrow.TemplatePrefix(io.String.Input("image", lazy=True), prefix="image", min=0, max=3)
    made = Nodes(taking(io.Autogrow.Input("images", growing), check_lazy_status=check))
    graph = {
        "a": node("Text", text="a"),
        "b": node("Text", text="b"),
        "n": node("Takes", **{"images.image0": ["a", 0], "images.image1": ["b", 0]}),
        "s": node("Show", value=["n", 0]),
    }
    story = made.run(graph)
    assert story.end.outputs["s"]["value"] == [{"images": {"image0": None, "image1": "b"}}], error_of(story)  # type: ignore[union-attr]
    assert "NodeStarted a" not in story.names()
    made.close()


def test_matching_types_are_wildcards_for_links(nodes: Nodes) -> None:
    graph = {
        "t": node("Text", text="x"),
        "n": node("Takes", **{"images.image0": "x", "mode": "scale", "mode.width": 1, "same": ["t", 0]}),
        "m": node("Takes", **{"images.image0": ["n", 0], "mode": "scale", "mode.width": 1}),
    }
    assert nodes.check(graph).error is None
