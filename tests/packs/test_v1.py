"""Classes of ComfyUI's first style as data: what their declarations say, however odd."""

import orjson
import pytest

from inglenook.engine.schema import NodeSchema
from inglenook.engine.types import is_compatible
from inglenook.packs.v1 import BadNodeClass, v1_document, v1_implementation


def node_class(required=None, **attributes):
    declared = {"required": required or {}}
    declared |= {section: attributes.pop(section) for section in ("optional", "hidden") if section in attributes}
    defaults = {"INPUT_TYPES": classmethod(lambda cls: declared), "RETURN_TYPES": (), "FUNCTION": "run"}
    return type("Acme", (), {"run": lambda self, **inputs: (), **defaults, **attributes})


def document(*arguments, **attributes):
    made = v1_document(node_class(*arguments, **attributes), "Acme", None, "custom_nodes.acme")
    orjson.dumps(made)
    return made


def schema(*arguments, **attributes):
    return NodeSchema.from_info("Acme", document(*arguments, **attributes))


class Wild(str):
    def __ne__(self, other):
        return False


def test_a_plain_class_is_described_as_object_info_shows_it():
    made = document(
        {"image": ("IMAGE",), "mode": (["a", "b"], {"default": "b"}), "count": ("INT", {"min": 0})},
        optional={"mask": ("MASK",)},
        hidden={"id": "UNIQUE_ID"},
        RETURN_TYPES=("IMAGE", ["a", "b"]),
        RETURN_NAMES=("picture",),
        OUTPUT_IS_LIST=(True,),
        CATEGORY="acme",
        DESCRIPTION="Does things",
        OUTPUT_NODE=True,
        DEPRECATED=True,
    )
    assert made["input"] == {
        "required": {"image": ["IMAGE"], "mode": [["a", "b"], {"default": "b"}], "count": ["INT", {"min": 0}]},
        "optional": {"mask": ["MASK"]},
        "hidden": {"id": "UNIQUE_ID"},
    }
    assert made["input_order"] == {"required": ["image", "mode", "count"], "optional": ["mask"], "hidden": ["id"]}
    assert made["output"] == ["IMAGE", ["a", "b"]]
    assert made["output_name"] == ["picture", "COMBO"]
    assert made["output_is_list"] == [True, False]
    assert (made["output_node"], made["deprecated"], "experimental" in made) == (True, True, False)
    assert (made["name"], made["display_name"], made["category"]) == ("Acme", "Acme", "acme")


def test_types_without_a_comma_behind_them_are_read_all_the_same():
    made = document({"image": "IMAGE"}, RETURN_TYPES="IMAGE")
    assert made["input"]["required"]["image"] == ["IMAGE"]
    assert made["output"] == ["IMAGE"]


@pytest.mark.parametrize("text", ["*", "anything at all"])
def test_a_type_that_differs_from_nothing_matches_on_either_side(text):
    made = schema({"value": (Wild(text),)}, RETURN_TYPES=(Wild(text),))
    assert is_compatible("INT", made.inputs["value"].type)
    assert is_compatible(made.output_type(0), "IMAGE")
    assert not is_compatible("INT", "IMAGE")


def test_a_tuple_without_end_gives_outputs_of_any_type():
    class Endless(tuple):
        def __getitem__(self, index):
            return "*"

    made = schema(RETURN_TYPES=Endless(("IMAGE",)))
    assert len(made.outputs) == 1
    assert is_compatible(made.output_type(50), "LATENT")
    assert made.output_type(-1) is None
    assert schema(RETURN_TYPES=("IMAGE",)).output_type(1) is None


def test_a_dict_that_contains_every_name_takes_any_input():
    class Everything(dict):
        def __contains__(self, name):
            return True

    assert schema(optional=Everything()).takes_any_input
    assert not schema(optional={"a": ("INT",)}).takes_any_input


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"max": float("inf")}, {"max": None}),
        ({"default": (1, 2)}, {"default": [1, 2]}),
        ({"choices": {1}}, {"choices": [1]}),
        ({"max": 0xFFFFFFFFFFFFFFFF}, {"max": 0xFFFFFFFFFFFFFFFF}),
    ],
)
def test_options_that_json_cannot_hold_become_what_it_can(options, wanted):
    assert document({"value": ("INT", options)})["input"]["required"]["value"][1] == wanted


def test_choices_may_come_from_anything_that_can_be_gone_through():
    made = document({"name": ({"b": 1, "a": 2}.keys(),), "other": (("x", 1, 2.5),)})
    assert made["input"]["required"] == {"name": [["b", "a"]], "other": [["x", 1, 2.5]]}


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"FUNCTION": None}, "no FUNCTION"),
        ({"FUNCTION": "absent"}, "no method 'absent'"),
        ({"INPUT_TYPES": classmethod(lambda cls: ["required"])}, "returns list"),
        ({"INPUT_TYPES": classmethod(lambda cls: {"required": ["a"]})}, "required inputs as list"),
        ({"INPUT_TYPES": classmethod(lambda cls: {"required": {"a": ()}})}, "input a is declared without a type"),
        ({"INPUT_TYPES": classmethod(lambda cls: {"required": {"a": ({"b": 1},)}})}, "declared as a dict"),
    ],
)
def test_a_class_that_cannot_be_used_says_why(attributes, said):
    with pytest.raises(BadNodeClass, match=said):
        v1_implementation(node_class(**attributes), "Acme")


def test_what_a_validator_names_is_known_from_its_parameters():
    named = schema({"a": ("INT",)}, VALIDATE_INPUTS=classmethod(lambda cls, a, input_types: True))
    assert (named.has_validator, named.validated_inputs, named.checks_types) == (True, {"a"}, True)
    takes_all = schema({"a": ("INT",)}, VALIDATE_INPUTS=classmethod(lambda cls, **inputs: True))
    assert (takes_all.validates_all, takes_all.validated_inputs) == (True, set())
    assert not schema({"a": ("INT",)}).has_validator


def test_lists_are_described_as_they_are_when_it_is_asked():
    files = ["a.csv"]
    made = node_class()
    made.INPUT_TYPES = classmethod(lambda cls: {"required": {"style": (list(files),)}})
    implementation = v1_implementation(made, "Acme")
    files.append("b.csv")
    assert implementation.renew().document["input"]["required"]["style"] == [["a.csv", "b.csv"]]
