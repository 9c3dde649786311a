"""Interface documents: those of core nodes declared again here have ComfyUI's shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from inglenook.engine.schema import NodeSchema
from inglenook.packs.v3 import io
from inglenook.packs.v3.adapter import is_v3, v3_document, v3_implementation
from inglenook.packs.v3.schema import SchemaError

CORE = json.loads((Path(__file__).parents[2] / "data/packs/core_v3_nodes.json").read_text())
"""Interfaces of core nodes of ComfyUI 0.3.64, without texts; options that are empty are left out."""


def node_class(schema: io.Schema, **methods: Any) -> type[io.ComfyNode]:
    """A class with that schema; methods: functions without `cls`."""
    return type(
        "Declared",
        (io.ComfyNode,),
        {
            "define_schema": classmethod(lambda cls: schema),
            "execute": classmethod(lambda cls, **inputs: io.NodeOutput()),
            **{name: classmethod(method) for name, method in methods.items()},
        },
    )


def document(schema: io.Schema, **methods: Any) -> dict[str, Any]:
    return v3_document(node_class(schema, **methods), "custom_nodes.acme")


def declared(*inputs: io.Input) -> dict[str, Any]:
    return document(io.Schema("X", inputs=list(inputs)))["input"]["required"]


class Seeds(Enum):
    random = "random"
    fixed = "fixed"


SCHEMAS = [
    io.Schema(
        node_id="SaveWEBM",
        category="image/video",
        is_experimental=True,
        is_output_node=True,
        inputs=[
            io.Image.Input("images"),
            io.String.Input("filename_prefix", default="ComfyUI"),
            io.Combo.Input("codec", options=["vp9", "av1"]),
            io.Float.Input("fps", default=24.0, min=0.01, max=1000.0, step=0.01),
            io.Float.Input("crf", default=32.0, min=0, max=63.0, step=1),
        ],
    ),
    io.Schema(
        node_id="LatentBatchSeedBehavior",
        category="latent/advanced",
        inputs=[
            io.Latent.Input("samples"),
            io.Combo.Input("seed_behavior", options=Seeds, default=Seeds.fixed),
        ],
        outputs=[io.Latent.Output()],
    ),
    io.Schema(
        node_id="GetVideoComponents",
        display_name="Get Video Components",
        category="image/video",
        inputs=[io.Video.Input("video", tooltip="The video.")],
        outputs=[
            io.Image.Output(display_name="images"),
            io.Audio.Output(display_name="audio"),
            io.Float.Output(display_name="fps"),
        ],
    ),
    io.Schema(
        node_id="WanImageToVideo",
        category="conditioning/video_models",
        inputs=[
            io.Conditioning.Input("positive"),
            io.Conditioning.Input("negative"),
            io.Vae.Input("vae"),
            io.Int.Input("width", default=832, min=16, max=16384, step=16),
            io.Int.Input("height", default=480, min=16, max=16384, step=16),
            io.Int.Input("length", default=81, min=1, max=16384, step=4),
            io.Int.Input("batch_size", default=1, min=1, max=4096),
            io.ClipVisionOutput.Input("clip_vision_output", optional=True),
            io.Image.Input("start_image", optional=True),
        ],
        outputs=[
            io.Conditioning.Output(display_name="positive"),
            io.Conditioning.Output(display_name="negative"),
            io.Latent.Output(display_name="latent"),
        ],
    ),
    io.Schema(
        node_id="PrimitiveInt",
        display_name="Int",
        category="utils/primitive",
        inputs=[io.Int.Input("value", min=-(2**63) + 1, max=2**63 - 1, control_after_generate=True)],
        outputs=[io.Int.Output()],
    ),
    io.Schema(
        node_id="StringConcatenate",
        display_name="Concatenate",
        category="utils/string",
        inputs=[
            io.String.Input("string_a", multiline=True),
            io.String.Input("string_b", multiline=True),
            io.String.Input("delimiter", default=""),
        ],
        outputs=[io.String.Output()],
    ),
    io.Schema(
        node_id="LoraSave",
        display_name="Extract and Save Lora",
        category="_for_testing",
        is_experimental=True,
        is_output_node=True,
        inputs=[
            io.String.Input("filename_prefix", default="loras/ComfyUI_extracted_lora"),
            io.Int.Input("rank", default=8, min=1, max=4096, step=1),
            io.Combo.Input("lora_type", options=("standard", "full_diff")),
            io.Boolean.Input("bias_diff", default=True),
            io.Model.Input("model_diff", optional=True),
            io.Clip.Input("text_encoder_diff", optional=True),
        ],
    ),
    io.Schema(
        node_id="CreateVideo",
        display_name="Create Video",
        category="image/video",
        inputs=[
            io.Image.Input("images"),
            io.Float.Input("fps", default=30.0, min=1.0, max=120.0, step=1.0),
            io.Audio.Input("audio", optional=True),
        ],
        outputs=[io.Video.Output()],
    ),
]


def without_texts(info: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with those keys, as the recorded ones are: no tooltips, no options that are empty."""
    entry = {key: value for key, value in info.items() if key in keys}
    entry["input"] = {
        section: {name: bare(spec) if section != "hidden" else spec for name, spec in specs.items()}
        for section, specs in info["input"].items()
    }
    return entry


def bare(spec: list[Any]) -> list[Any]:
    options = {key: value for key, value in spec[1].items() if key != "tooltip"}
    return [spec[0], options] if options else [spec[0]]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.node_id)
def test_document_of_a_core_node_has_the_shape_that_comfyui_gives_it(schema: io.Schema) -> None:
    recorded = CORE[schema.node_id]
    made = without_texts(v3_document(node_class(schema), recorded["python_module"]), recorded)
    assert made == recorded
    assert list(made["input"]["required"]) == recorded["input_order"]["required"]


def test_document_tells_what_the_editor_asks_of_every_v3_node() -> None:
    info = document(
        io.Schema(
            "X",
            description="d",
            search_aliases=["y"],
            is_deprecated=True,
            is_api_node=True,
            essentials_category="Basics",
            outputs=[io.Image.Output(tooltip="a picture", is_output_list=True)],
        )
    )
    assert info["name"] == "X"
    assert info["python_module"] == "custom_nodes.acme"
    assert info["category"] == "sd"
    assert (info["deprecated"], info["experimental"], info["api_node"], info["dev_only"]) == (True, False, True, False)
    assert info["output_tooltips"] == ["a picture"]
    assert info["output_is_list"] == [True]
    assert info["search_aliases"] == ["y"]
    assert info["essentials_category"] == "Basics"
    assert list(info["input"]["hidden"]) == ["auth_token_comfy_org", "api_key_comfy_org"]
    assert info["input_order"] == {"required": [], "hidden": ["auth_token_comfy_org", "api_key_comfy_org"]}


def test_hidden_inputs_that_an_output_node_asks_for_itself_are_not_doubled() -> None:
    schema = io.Schema("X", is_output_node=True, hidden=[io.Hidden.prompt, io.Hidden.unique_id])
    assert document(schema)["input"]["hidden"] == {
        "prompt": ["PROMPT"],
        "unique_id": ["UNIQUE_ID"],
        "extra_pnginfo": ["EXTRA_PNGINFO"],
    }


def test_options_of_widgets_have_the_names_that_the_editor_reads() -> None:
    made = declared(
        io.Boolean.Input("b", default=False, label_on="yes", label_off="no", lazy=True),
        io.Int.Input("i", default=0, display_mode=io.NumberDisplay.slider, force_input=True),
        io.Float.Input("f", round=0.01, socketless=True, advanced=True, extra_dict={"mine": 1}),
        io.String.Input("s", multiline=True, placeholder="p", dynamic_prompts=True, display_name="S"),
        io.Int.Input("c", control_after_generate=io.ControlAfterGenerate.increment, raw_link=True),
    )
    assert made["b"] == ["BOOLEAN", {"default": False, "label_on": "yes", "label_off": "no", "lazy": True}]
    assert made["i"] == ["INT", {"default": 0, "display": "slider", "forceInput": True}]
    assert made["f"] == ["FLOAT", {"round": 0.01, "socketless": True, "advanced": True, "mine": 1}]
    assert made["s"] == [
        "STRING",
        {"multiline": True, "placeholder": "p", "dynamicPrompts": True, "display_name": "S"},
    ]
    assert made["c"] == ["INT", {"control_after_generate": "increment", "rawLink": True}]


def test_upload_combo_names_its_button_its_folder_and_its_route() -> None:
    remote = io.RemoteOptions("/internal/files/output", refresh_button=True)
    made = declared(
        io.Combo.Input("image", upload=io.UploadType.image, image_folder=io.FolderType.output, remote=remote),
        io.Combo.Input("file", options=["a.mp4"], upload=io.UploadType.video),
    )
    assert {key: made["image"][1][key] for key in ("image_upload", "image_folder", "remote")} == CORE[
        "LoadImageOutput"
    ]["input"]["required"]["image"][1]
    assert made["file"] == ["COMBO", {"multiselect": False, "options": ["a.mp4"], "video_upload": True}]


def test_multiple_choice_and_a_combo_output_list_their_choices() -> None:
    made = document(
        io.Schema(
            "X",
            inputs=[io.MultiCombo.Input("many", options=["a", "b"], default=["a"], chip=True)],
            outputs=[io.Combo.Output(options=Seeds), io.Combo.Output("plain")],
        )
    )
    assert made["input"]["required"]["many"] == [
        "COMBO",
        {"default": ["a"], "multiselect": True, "multi_select": True, "options": ["a", "b"], "chip": True},
    ]
    assert made["output"] == [["random", "fixed"], "COMBO"]
    assert made["output_name"] == ["COMBO", "COMBO"]


def test_types_of_a_packs_own_are_made_by_name_or_by_decorator() -> None:
    @io.comfytype(io_type="ACME_RIG")
    class Rig(io.ComfyTypeIO):
        Type = dict

        class Input(io.Input):
            def as_dict(self) -> dict[str, Any]:
                return super().as_dict() | {"bones": 3}

    @io.comfytype(io_type="ACME_BARE")
    class Bare:
        Input = io.Image.Input

    made = declared(io.Custom("ACME_THING").Input("thing"), Rig.Input("rig"), Bare.Input("bare"))
    assert made == {"thing": ["ACME_THING", {}], "rig": ["ACME_RIG", {"bones": 3}], "bare": ["ACME_BARE", {}]}
    assert Rig.Output().io_type == "ACME_RIG"
    assert Rig.Input("x").Type is dict
    assert io.Image.Input("x").io_type == "IMAGE"  # not changed by the type that borrowed its Input


def test_union_input_takes_the_widget_of_the_input_it_is_built_on() -> None:
    made = declared(
        io.MultiType.Input(io.Float.Input("x", default=0.5, tooltip="t"), [io.Image, io.Mask, io.Float]),
        io.MultiType.Input("y", [io.Image, io.Mask], optional=False),
    )
    assert made["x"] == ["FLOAT,IMAGE,MASK", {"default": 0.5, "tooltip": "t", "widgetType": "FLOAT"}]
    assert made["y"] == ["IMAGE,MASK", {}]


def test_dynamic_inputs_are_declared_as_the_editor_and_the_engine_read_them() -> None:
    template = io.MatchType.Template("T", [io.Image, io.Mask])
    grow = io.Autogrow.TemplatePrefix(io.MatchType.Input("image", template), prefix="image", min=2, max=8)
    names = io.Autogrow.TemplateNames(io.Int.Input("n", optional=True), names=["left", "right"], min=0)
    info = document(
        io.Schema(
            "X",
            inputs=[
                io.Autogrow.Input("images", template=grow),
                io.Autogrow.Input("sides", template=names, optional=True),
                io.DynamicCombo.Input(
                    "mode",
                    options=[
                        io.DynamicCombo.Option("scale", [io.Float.Input("by", optional=True)]),
                        io.DynamicCombo.Option("none", []),
                    ],
                ),
                io.DynamicSlot.Input(io.Mask.Input("mask"), [io.Float.Input("strength")]),
            ],
            outputs=[io.MatchType.Output(template=template, display_name="out"), io.Int.Output()],
        )
    )
    match = ["COMFY_MATCHTYPE_V3", {"template": {"template_id": "T", "allowed_types": "IMAGE,MASK"}}]
    assert info["input"]["required"]["images"] == [
        "COMFY_AUTOGROW_V3",
        {"template": {"input": {"required": {"image": match}}, "prefix": "image", "min": 2, "max": 8}},
    ]
    assert info["input"]["optional"]["sides"] == [
        "COMFY_AUTOGROW_V3",
        {"template": {"input": {"required": {}, "optional": {"n": ["INT", {}]}}, "names": ["left", "right"], "min": 0}},
    ]
    assert info["input"]["required"]["mode"] == [
        "COMFY_DYNAMICCOMBO_V3",
        {
            "options": [
                {"key": "scale", "inputs": {"required": {}, "optional": {"by": ["FLOAT", {}]}}},
                {"key": "none", "inputs": {"required": {}}},
            ]
        },
    ]
    slot = info["input"]["optional"]["mask"]
    assert (slot[0], slot[1]["slotType"]) == ("COMFY_DYNAMICSLOT_V3", "MASK")
    assert slot[1]["inputs"] == {"required": {"strength": ["FLOAT", {}]}}
    assert info["output"] == ["COMFY_MATCHTYPE_V3", "INT"]
    assert info["output_matchtypes"] == ["T", None]


def test_validator_is_described_by_its_signature() -> None:
    schema = io.Schema("X", inputs=[io.Int.Input("a"), io.Int.Input("b")])
    assert "has_validator" not in document(schema)["engine"]
    named = document(schema, validate_inputs=lambda cls, a, input_types=None: True)["engine"]
    assert named == {"has_validator": True, "validated_inputs": ["a"], "checks_types": True}
    everything = document(schema, validate_inputs=lambda cls, **inputs: True)["engine"]
    assert everything == {"has_validator": True, "validates_all": True}


def test_flags_of_the_schema_reach_the_engine() -> None:
    schema = io.Schema("X", not_idempotent=True, accept_all_inputs=True, is_input_list=True)
    made = NodeSchema.from_info("X", document(schema))
    assert made.not_idempotent
    assert made.takes_any_input
    assert made.is_input_list


def test_lists_of_files_are_read_again_for_every_document() -> None:
    files = ["a"]

    class Load(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema("Load", inputs=[io.Combo.Input("file", options=files)])

        @classmethod
        def execute(cls, file: str) -> None: ...

    first = v3_document(Load, "m")
    files.append("b")
    assert first["input"]["required"]["file"][1]["options"] == ["a"]
    assert v3_document(Load, "m")["input"]["required"]["file"][1]["options"] == ["a", "b"]
    assert Load.INPUT_TYPES()["required"]["file"][1]["options"] == ["a", "b"]


def test_price_badge_knows_the_types_of_the_widgets_it_depends_on() -> None:
    badge = io.PriceBadge(expr="1", depends_on=io.PriceBadgeDepends(widgets=["n"]))
    info = document(io.Schema("X", inputs=[io.Int.Input("n")], price_badge=badge))
    assert info["price_badge"] == {
        "engine": "jsonata",
        "depends_on": {"widgets": [{"name": "n", "type": "INT"}], "inputs": [], "input_groups": []},
        "expr": "1",
    }


def test_attributes_of_a_v1_class_are_derived_for_code_that_looks_at_classes() -> None:
    schema = io.Schema(
        "X",
        category="acme",
        inputs=[io.Image.Input("image"), io.Int.Input("n", optional=True, min=1)],
        outputs=[io.Image.Output(display_name="out", is_output_list=True), io.Mask.Output()],
        hidden=[io.Hidden.unique_id],
        is_output_node=True,
        is_experimental=True,
    )
    made = node_class(schema, fingerprint_inputs=lambda cls, **inputs: 3)
    assert made.INPUT_TYPES() == {
        "required": {"image": ("IMAGE", {})},
        "optional": {"n": ("INT", {"min": 1})},
        "hidden": {"unique_id": ("UNIQUE_ID",), "prompt": ("PROMPT",), "extra_pnginfo": ("EXTRA_PNGINFO",)},
    }
    assert made.RETURN_TYPES == ("IMAGE", "MASK")
    assert made.RETURN_NAMES == ("out", "MASK")
    assert made.OUTPUT_IS_LIST == (True, False)
    assert (made.CATEGORY, made.OUTPUT_NODE, made.EXPERIMENTAL, made.DEPRECATED) == ("acme", True, True, False)
    assert made.IS_CHANGED(image=None) == 3
    assert not hasattr(made, "VALIDATE_INPUTS")
    assert [output.id for output in made.GET_SCHEMA().outputs] == ["_0_IMAGE_", "_1_MASK_"]


def test_a_class_that_inherits_from_another_node_has_its_own_schema() -> None:
    class Base(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema("Base", category="base")

        @classmethod
        def execute(cls) -> None: ...

    class Derived(Base):
        @classmethod
        def define_schema(cls) -> io.Schema:
            schema = super().define_schema()
            schema.node_id, schema.category = "Derived", "derived"
            return schema

    assert (Base.CATEGORY, Derived.CATEGORY, Base.CATEGORY) == ("base", "derived", "base")
    assert v3_document(Derived, "m")["name"] == "Derived"


def test_code_outside_the_engine_can_call_a_class_by_its_function() -> None:
    def execute(cls: Any, a: int) -> Any:
        return io.NodeOutput(a + 1)

    made = node_class(io.Schema("X", outputs=[io.Int.Output()]), execute=execute)
    assert getattr(made(), made.FUNCTION)(a=1)[0] == 2
    assert made.EXECUTE_NORMALIZED(a=1).result == (2,)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (io.Schema(""), "no node_id"),
        (io.Schema("X", inputs=[io.Int.Input("a"), io.Image.Input("a")]), "inputs share 'a'"),
        (io.Schema("X", outputs=[io.Int.Output("o"), io.Int.Output("o")]), "outputs share 'o'"),
        (io.Schema("X", inputs=[io.Image]), "is no input"),
        (io.Schema("X", outputs=[io.Image]), "is no output"),
        (
            io.Schema("X", inputs=[io.Autogrow.Input("g", io.Autogrow.TemplatePrefix(io.Int.Input("i"), "i", 5, 2))]),
            "'g': a growing input has",
        ),
        (
            io.Schema("X", inputs=[io.DynamicCombo.Input("m", [io.DynamicCombo.Option("k", [])] * 2)]),
            "options occur twice",
        ),
        (
            io.Schema(
                "X",
                inputs=[io.DynamicCombo.Input("m", [io.DynamicCombo.Option("k", [io.Int.Input("a")] * 2)])],
            ),
            "inputs inside 'm' share 'a'",
        ),
    ],
)
def test_a_declaration_that_cannot_be_used_is_an_error_that_says_what_is_wrong(schema: io.Schema, text: str) -> None:
    with pytest.raises(SchemaError, match=text):
        document(schema)


def test_a_class_without_schema_or_execute_or_base_class_is_an_error() -> None:
    class NoSchema(io.ComfyNode):
        @classmethod
        def execute(cls) -> None: ...

    class NoExecute(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema("X")

    class NoneAtAll(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return None  # type: ignore[return-value]

        @classmethod
        def execute(cls) -> None: ...

    for wrong, text in (
        (NoSchema, "NoSchema has no define_schema"),
        (NoExecute, "NoExecute has no execute"),
        (NoneAtAll, "define_schema gave None"),
        (int, "inherits from io.ComfyNode"),
    ):
        with pytest.raises(SchemaError, match=text):
            v3_implementation(wrong, "m")
    assert is_v3(NoExecute)
    assert not is_v3(int)
    assert not is_v3(NoExecute())


def test_a_name_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match=r"comfy_api.latest.io.*'Hologram'"):
        io.Hologram  # type: ignore[attr-defined]  # noqa: B018
