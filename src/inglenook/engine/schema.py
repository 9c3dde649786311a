"""What a node class takes and gives, as data: the node catalog's entries, shaped like ComfyUI's `/object_info`.

An interface document is the JSON object that `/object_info` shows for a class, with two differences: lists that depend
on the state of folders are declared instead of listed (`{"files": "checkpoints"}` where the list of choices would
stand, see `ChoiceSource`), and the key `engine` holds what code would otherwise say (see `NodeSchema.from_info`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

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
    def from_json(cls, value: Mapping[str, Any]) -> ChoiceSource:
        kinds: tuple[ChoiceKind, ...] = ("files", "input", "names")
        for kind in kinds:
            if kind in value:
                return cls(kind, value[kind], tuple(value.get("extra", ())))
        raise ValueError(f"not a list of choices: {value!r}")


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
            return ChoiceSource.from_json(declared)
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
    outputs: tuple[OutputSpec, ...]
    is_output: bool
    is_input_list: bool
    not_idempotent: bool
    always_changed: bool
    """Runs each time, as if IS_CHANGED gave NaN."""
    validates_all: bool
    """The class's own validator takes every input: built-in range and list checks are off."""
    validated_inputs: frozenset[str]
    """Inputs that the class's own validator names."""
    checks_types: bool
    """The validator takes `input_types`: the built-in link type check is off."""
    file_inputs: Mapping[str, str]
    """Validator of built-in nodes as data: input name -> message for a file that the input folder does not have."""
    info: Mapping[str, Any] = field(repr=False)
    """The interface document, without `engine`."""

    @property
    def uses_node_id(self) -> bool:
        """Whether the node id takes part in the cache key."""
        return self.not_idempotent or "UNIQUE_ID" in self.hidden.values()

    @classmethod
    def from_info(cls, class_type: str, document: Mapping[str, Any]) -> NodeSchema:
        """Read an interface document.

        Its key `engine` may hold `not_idempotent`, `always_changed`, `validates_all`, `checks_types` (booleans),
        `validated_inputs` (names) and `file_inputs` (input name -> error message).
        """
        info = {key: value for key, value in document.items() if key != "engine"}
        engine = document.get("engine", {})
        declared = info.get("input", {})
        types = info.get("output", ())
        lists = info.get("output_is_list") or [False] * len(types)
        files = dict(engine.get("file_inputs", {}))
        return cls(
            class_type=class_type,
            inputs=_inputs(declared),
            hidden={
                name: kind if isinstance(kind, str) else kind[0] for name, kind in declared.get("hidden", {}).items()
            },
            outputs=tuple(
                OutputSpec(_input_type(kind), str(name), bool(is_list))
                for kind, name, is_list in zip(types, info.get("output_name") or types, lists, strict=False)
            ),
            is_output=bool(info.get("output_node")),
            is_input_list=bool(info.get("is_input_list") or engine.get("is_input_list")),
            not_idempotent=bool(engine.get("not_idempotent")),
            always_changed=bool(engine.get("always_changed")),
            validates_all=bool(engine.get("validates_all")),
            validated_inputs=frozenset(engine.get("validated_inputs", ())) | frozenset(files),
            checks_types=bool(engine.get("checks_types")),
            file_inputs=files,
            info=info,
        )


def _inputs(declared: Mapping[str, Any]) -> dict[str, InputSpec]:
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
