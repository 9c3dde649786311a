"""Dynamic inputs: which plain ones they stand for, and the argument that is made of them."""

from __future__ import annotations

from typing import Any

from inglenook.engine.graph import Graph
from inglenook.engine.validation import Validation, validate
from tests.engine.toys import Toys, catalog, document, node

GROWING = [
    "COMFY_AUTOGROW_V3",
    {"template": {"input": {"required": {"image": ["STRING", {}]}}, "prefix": "image", "min": 1, "max": 3}},
]
NAMED = [
    "COMFY_AUTOGROW_V3",
    {"template": {"input": {"required": {"x": ["INT", {"min": 0}]}}, "names": ["left", "right"]}},
]
MODE = [
    "COMFY_DYNAMICCOMBO_V3",
    {
        "options": [
            {
                "key": "scale",
                "inputs": {"required": {"width": ["INT", {"max": 100}]}, "optional": {"note": ["STRING"]}},
            },
            {
                "key": "method",
                "inputs": {
                    "required": {
                        "how": [
                            "COMFY_DYNAMICCOMBO_V3",
                            {"options": [{"key": "fast", "inputs": {"required": {"n": ["INT"]}}}]},
                        ]
                    }
                },
            },
            {"key": "none", "inputs": {}},
        ]
    },
]
SLOT = ["COMFY_DYNAMICSLOT_V3", {"slotType": "STRING", "inputs": {"required": {"strength": ["FLOAT"]}}}]
ROWS = [
    "COMFY_DYNAMICGROUP_V3",
    {"template": {"required": {"field": ["INT"]}}, "min": 1, "max": 3, "group_name": "Row"},
]


def toys_with(**inputs: Any) -> Toys:
    toys = Toys()
    toys.add("Text", lambda text: (text,), required={"text": "STRING"}, output=["STRING"])
    toys.add("Dynamic", lambda **given: {"ui": {"given": [given]}}, required=inputs, output_node=True)
    return toys


def argument(toys: Toys, **inputs: Any) -> Any:
    end = toys.run({"t": node("Text", text="linked"), "d": node("Dynamic", **inputs)}).end
    return end.outputs["d"]["given"][0]


def check(spec: Any, **inputs: Any) -> Validation:
    documents = {
        "Text": document({"text": "STRING"}, output=["STRING"]),
        "Dynamic": document({"in": spec}, output_node=True),
    }
    graph = {"t": node("Text", text="x"), "d": node("Dynamic", **inputs)}
    return validate(Graph.parse(graph), catalog(documents))


def reason(result: Validation) -> tuple[str, str]:
    (found,) = result.node_errors["d"]["errors"]
    return found["type"], found["details"]


def test_growing_input_is_a_dict_of_what_was_given() -> None:
    toys = toys_with(images=GROWING)
    given = {"images.image0": "a", "images.image2": ["t", 0]}
    assert argument(toys, **given) == {"images": {"image0": "a", "image2": "linked"}}
    assert argument(toys) == {"images": {}}
    assert argument(toys_with(v=NAMED), **{"v.right": 3}) == {"v": {"right": 3}}


def test_growing_input_is_checked_by_full_name() -> None:
    assert check(GROWING, **{"in.image0": "a", "in.image1": ["t", 0]}).error is None
    assert reason(check(GROWING)) == ("required_input_missing", "image0")
    assert reason(check(GROWING, **{"in.image0": "a", "in.image7": "b"}))[0] == "invalid_dynamic_input"
    assert reason(check(NAMED, **{"in.left": -1})) == ("value_smaller_than_min", "in.left")
    converted = check(NAMED, **{"in.left": "3"}).graph.nodes["d"].inputs
    assert converted == {"in.left": 3}


def test_chosen_option_brings_its_inputs() -> None:
    toys = toys_with(mode=MODE)
    assert argument(toys, **{"mode": "scale", "mode.width": 5}) == {"mode": {"mode": "scale", "width": 5}}
    assert argument(toys, **{"mode": "none"}) == {"mode": {"mode": "none"}}
    nested = {"mode": "method", "mode.how": "fast", "mode.how.n": 2}
    assert argument(toys, **nested) == {"mode": {"mode": "method", "how": {"how": "fast", "n": 2}}}


def test_chosen_option_is_checked_with_its_inputs() -> None:
    assert check(MODE, **{"in": "none"}).error is None
    assert reason(check(MODE)) == ("required_input_missing", "in")
    assert reason(check(MODE, **{"in": "scale"})) == ("required_input_missing", "width")
    assert reason(check(MODE, **{"in": "scale", "in.width": 500})) == ("value_bigger_than_max", "in.width")
    assert reason(check(MODE, **{"in": "other"}))[0] == "value_not_in_list"
    assert reason(check(MODE, **{"in": "method", "in.how": "fast"})) == ("required_input_missing", "n")


def test_slot_and_rows() -> None:
    toys = toys_with(slot=SLOT, rows=ROWS)
    given = {"slot": ["t", 0], "slot.strength": 0.5, "rows.0.field": 1, "rows.1.field": 2}
    assert argument(toys, **given) == {
        "slot": {"slot": "linked", "strength": 0.5},
        "rows": [{"field": 1}, {"field": 2}],
    }
    assert reason(check(ROWS)) == ("required_input_missing", "field")
    assert reason(check(ROWS, **{f"in.{row}.field": 1 for row in range(5)}))[0] == "invalid_dynamic_input"
    assert reason(check(SLOT, **{"in": ["t", 0]})) == ("required_input_missing", "strength")


def test_lazy_status_sees_parts_with_their_full_names() -> None:
    seen: list[dict[str, Any]] = []

    def check_lazy(instance: Any, inputs: dict[str, Any]) -> list[str]:
        seen.append(dict(inputs))
        return ["images.image1"]

    lazy = [
        "COMFY_AUTOGROW_V3",
        {"template": {"input": {"required": {"i": ["STRING", {"lazy": True}]}}, "prefix": "image"}},
    ]
    toys = Toys()
    toys.add("Text", lambda text: (text,), required={"text": "STRING"}, output=["STRING"])
    toys.add(
        "Pick",
        lambda images: {"ui": {"images": [images]}},
        required={"images": lazy},
        output_node=True,
        check_lazy=check_lazy,
    )
    story = toys.run(
        {
            "a": node("Text", text="a"),
            "b": node("Text", text="b"),
            "d": node("Pick", **{"images.image0": ["a", 0], "images.image1": ["b", 0]}),
        }
    )
    assert toys.calls == ["Text", "Pick"]
    assert seen[0] == {"images": {"image0": (None, "images.image0"), "image1": (None, "images.image1")}}
    assert story.end.outputs["d"] == {"images": [{"image0": None, "image1": "b"}]}
