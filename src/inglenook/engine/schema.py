"""What a node class takes and gives, as data: the node catalog's entries, shaped like ComfyUI's `/object_info`.

An interface document is the JSON object that `/object_info` shows for a class, with two differences: lists that depend
on the state of folders are declared instead of listed (`{"files": "checkpoints"}` where the list of choices would
stand, see `ChoiceSource`), and the key `engine` holds what code would otherwise say (see `NodeSchema.from_info`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from inglenook.engine.types import ANY, WildType

DYNAMIC_TYPES = frozenset(
    {"COMFY_AUTOGROW_V3", "COMFY_DYNAMICCOMBO_V3", "COMFY_DYNAMICSLOT_V3", "COMFY_DYNAMICGROUP_V3"}
)
"""Inputs that stand for others, see `dynamic`."""

UPLOAD_OPTIONS: Mapping[str, str] = {
    "image_upload": "image",
    "animated_image_upload": "image,video",
    "video_upload": "video",
    "audio_upload": "audio,video",
    "file_upload": "3d,audio,image,latent,video",
}
"""Options of inputs with an upload button -> the media kinds of their files."""

Section = Literal["required", "optional"]
ChoiceKind = Literal["files", "input", "names"]


@dataclass(frozen=True, slots=True)
class ChoiceSource:
    """A list of choices that is filled when it is needed.

    kind "files": file names of model folder `key`; "input": names in the input folder whose media kind is in `key`
    (comma-separated: image, audio, video, latent, 3d); "names": a list known by name, such as `samplers`.
    """

    kind: ChoiceKind
    key: str
    extra: tuple[str, ...] = ()
    """Choices that follow the listed ones."""

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> ChoiceSource | None:
        """The declared list that a JSON object is, or None."""
        kinds: tuple[ChoiceKind, ...] = ("files", "input", "names")
        for kind in kinds:
            if isinstance(value.get(kind), str) and value.keys() <= {kind, "extra"}:
                return cls(kind, value[kind], tuple(value.get("extra", ())))
        return None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ChoiceSource:
        """The same; raises ValueError when it is none."""
        source = cls.read(value)
        if source is None:
            raise ValueError(f"not a list of choices: {value!r}")
        return source


InputType = str | tuple[Any, ...] | ChoiceSource
"""A type name, the choices of an old-style combo, or where those choices come from."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One declared input of a node class."""

    name: str
    section: Section
    type: InputType
    options: Mapping[str, Any]

    @property
    def required(self) -> bool:
        return self.section == "required"

    @property
    def is_dynamic(self) -> bool:
        return isinstance(self.type, str) and self.type in DYNAMIC_TYPES

    @property
    def lazy(self) -> bool:
        return bool(self.options.get("lazy"))

    @property
    def raw_link(self) -> bool:
        return bool(self.options.get("rawLink"))

    @property
    def choices(self) -> ChoiceSource | tuple[Any, ...] | None:
        """The choices of a combo of either style; None for other types and where none are declared."""
        if isinstance(self.type, (tuple, ChoiceSource)):
            return self.type
        declared = self.options.get("options") if self.type == "COMBO" else None
        if isinstance(declared, Mapping):
            return ChoiceSource.read(declared)
        return tuple(declared) if isinstance(declared, (list, tuple)) else None


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One output slot of a node class."""

    type: InputType
    name: str
    is_list: bool


@dataclass(frozen=True, slots=True)
class NodeSchema:
    """A node class as validation, execution and `/object_info` see it."""

    class_type: str
    inputs: Mapping[str, InputSpec]
    hidden: Mapping[str, str]
    """Hidden input name -> what is passed: PROMPT, EXTRA_PNGINFO, UNIQUE_ID, DYNPROMPT, ..."""
    has_dynamic_inputs: bool
    outputs: tuple[OutputSpec, ...]
    is_output: bool
    is_input_list: bool
    not_idempotent: bool
    always_changed: bool
    """Runs each time, as if IS_CHANGED gave NaN."""
    has_validator: bool
    """The class has a validator of its own, to be asked where its code is (see `validators`)."""
    validates_all: bool
    """The class's own validator takes every input: built-in range and list checks are off."""
    takes_any_choice: bool
    """Values that are in no list may be right: whoever has the code of the class decides."""
    differs: bool
    """Servers have it in different versions, of which this is all together."""
    validated_inputs: frozenset[str]
    """Inputs that the class's own validator names."""
    checks_types: bool
    """The validator takes `input_types`: the built-in link type check is off."""
    takes_any_input: bool
    """Undeclared inputs reach the node function too, instead of being ignored."""
    takes_any_link: bool
    """So do undeclared inputs that are linked, whose number the editor's part of such a class decides."""
    has_any_output: bool
    """Slots beyond the declared outputs exist too; what they give, the node decides."""
    shows_cached: bool
    """Not a root, but clients are told its ui data even when it was cached (`has_intermediate_output`)."""
    file_inputs: Mapping[str, str]
    """Validator of built-in nodes as data: input name -> message for a file that the input folder does not have."""
    info: Mapping[str, Any] = field(repr=False)
    """The interface document, without `engine`."""

    @property
    def uses_node_id(self) -> bool:
        """Whether the node id takes part in the cache key."""
        return self.not_idempotent or "UNIQUE_ID" in self.hidden.values()

    def output_type(self, slot: int) -> InputType | None:
        """The type of an output slot; None where there is no such slot."""
        if 0 <= slot < len(self.outputs):
            return self.outputs[slot].type
        return ANY if self.has_any_output and slot >= 0 else None

    @classmethod
    def from_info(cls, class_type: str, document: Mapping[str, Any]) -> NodeSchema:
        """Read an interface document.

        Its key `engine` may hold `not_idempotent`, `always_changed`, `has_validator`, `validates_all`, `checks_types`,
        `takes_any_choice`, `takes_any_input`, `takes_any_link`, `has_any_output`, `differs` (booleans),
        `validated_inputs`, `wild_inputs` (names), `wild_outputs` (slots) and `file_inputs` (input name -> error
        message). `yields_to_packs` is for those who load packs (`nodes.interfaces`).
        """
        info = {key: value for key, value in document.items() if key != "engine"}
        engine = document.get("engine", {})
        declared = info.get("input", {})
        types = info.get("output", ())
        lists = info.get("output_is_list") or [False] * len(types)
        files = dict(engine.get("file_inputs", {}))
        inputs = read_inputs(declared)
        for name in engine.get("wild_inputs", ()):
            inputs[name] = replace(inputs[name], type=WildType(inputs[name].type))
        wild_outputs = frozenset(engine.get("wild_outputs", ()))
        return cls(
            class_type=class_type,
            inputs=inputs,
            hidden={
                name: kind if isinstance(kind, str) else kind[0] for name, kind in declared.get("hidden", {}).items()
            },
            has_dynamic_inputs=any(spec.is_dynamic for spec in inputs.values()),
            outputs=tuple(
                OutputSpec(WildType(kind) if slot in wild_outputs else _input_type(kind), str(name), bool(is_list))
                for slot, (kind, name, is_list) in enumerate(
                    zip(types, info.get("output_name") or types, lists, strict=False)
                )
            ),
            is_output=bool(info.get("output_node")),
            is_input_list=bool(info.get("is_input_list") or engine.get("is_input_list")),
            not_idempotent=bool(engine.get("not_idempotent")),
            always_changed=bool(engine.get("always_changed")),
            has_validator=bool(engine.get("has_validator")),
            validates_all=bool(engine.get("validates_all")),
            takes_any_choice=bool(engine.get("takes_any_choice")),
            differs=bool(engine.get("differs")),
            validated_inputs=frozenset(engine.get("validated_inputs", ())) | frozenset(files),
            checks_types=bool(engine.get("checks_types")),
            takes_any_input=bool(engine.get("takes_any_input")),
            takes_any_link=bool(engine.get("takes_any_link")),
            has_any_output=bool(engine.get("has_any_output")),
            shows_cached=bool(info.get("has_intermediate_output")),
            file_inputs=files,
            info=info,
        )


def read_inputs(declared: Mapping[str, Any]) -> dict[str, InputSpec]:
    """Inputs by name from `{"required": {name: spec}, "optional": {...}}`, required ones first."""
    inputs: dict[str, InputSpec] = {}
    sections: tuple[Section, Section] = ("required", "optional")
    for section in sections:
        for name, spec in declared.get(section, {}).items():
            options = spec[1] if len(spec) > 1 and isinstance(spec[1], Mapping) else {}
            inputs[name] = InputSpec(name, section, _input_type(spec[0]), options)
    return inputs


def _input_type(declared: Any) -> InputType:
    if isinstance(declared, Mapping):
        return ChoiceSource.from_json(declared)
    if isinstance(declared, (list, tuple)):
        return tuple(declared)
    return cast(str, declared)
