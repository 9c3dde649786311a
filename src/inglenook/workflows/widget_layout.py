"""The widgets of a node class in the editor's order, with the positions between them that only the editor uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.schema import ChoiceSource, InputSpec, NodeSchema, read_inputs

_PLAIN = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})
_SPECIAL = frozenset(
    {"COLOR", "BOUNDING_BOX", "CURVE", "IMAGECOMPARE", "LOAD_3D", "LOAD_3D_ANIMATION", "WEBCAM", "AUDIO_RECORD"}
)
DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"
"""Is followed by the widgets of the option that was chosen."""
_IMAGE_UPLOADS = ("image_upload", "video_upload", "animated_image_upload")
_DEEPEST_COMBO = 20

ABSENT: Any = object()
"""Stands for a value that is not there."""


@dataclass(frozen=True, slots=True)
class Widget:
    """An input that has a value of its own."""

    name: str
    kind: str
    spec: InputSpec

    @property
    def is_dynamic(self) -> bool:
        return self.kind == DYNAMIC_COMBO

    def options(self) -> list[Mapping[str, Any]]:
        """The options of a dynamic combo."""
        declared = self.spec.options.get("options")
        return [
            option
            for option in (declared if isinstance(declared, (list, tuple)) else ())
            if isinstance(option, Mapping) and "key" in option
        ]

    def choices(self, catalog: Catalog) -> Sequence[Any]:
        """What a combo offers."""
        declared = self.spec.choices
        return catalog.choices(declared) if isinstance(declared, ChoiceSource) else declared or ()

    def default(self, catalog: Catalog) -> Any:
        """What it shows in a new node; ABSENT when nothing is known."""
        if "default" in self.spec.options:
            return self.spec.options["default"]
        if self.is_dynamic:
            return next((option["key"] for option in self.options()), ABSENT)
        choices = self.choices(catalog)
        if choices:
            return choices[0]
        return "" if self.kind == "STRING" else ABSENT


class Editor(Enum):
    """A position that only the editor uses."""

    CONTROL = "what becomes of a seed after each run"
    FILTER = "which choices it goes through"
    BUTTON = "a button that fetches choices"
    UPLOAD = "a button for uploads, once behind all required inputs"
    PLAYER = "a sound that can be played; it may be left out"


Step = Widget | Editor


def layout(schema: NodeSchema) -> tuple[Step, ...]:
    """What each position of a new node's `widgets_values` is for; dynamic combos by their key alone."""
    inputs = _ordered(schema)
    required = [spec for spec in inputs if spec.required]
    steps = list(_steps(required))
    if any(step.kind == "COMBO" and _takes_uploads(step.spec) for step in steps if isinstance(step, Widget)):
        steps.append(Editor.UPLOAD)
    return (*steps, *_steps(spec for spec in inputs if not spec.required))


def chosen(combo: Widget, key: Any) -> tuple[Step, ...]:
    """The layout of what belongs to an option of a dynamic combo, under full names."""
    if combo.name.count(".") > _DEEPEST_COMBO:
        return ()
    for option in combo.options():
        inputs = option.get("inputs")
        if option["key"] == key and isinstance(inputs, Mapping):
            specs = (replace(item, name=f"{combo.name}.{item.name}") for item in read_inputs(inputs).values())
            return tuple(_steps(specs))
    return ()


def slot_names(schema: NodeSchema) -> list[str]:
    """Names of the input slots that the editor gives a new node: sockets, then widgets."""
    inputs = _ordered(schema)
    sockets = [spec.name for spec in inputs if _kind(spec) is None]
    return sockets + [spec.name for spec in inputs if _kind(spec) is not None]


def _ordered(schema: NodeSchema) -> list[InputSpec]:
    """The inputs of a class in the editor's order, required ones first."""
    order = schema.info.get("input_order")
    if not isinstance(order, Mapping):
        return list(schema.inputs.values())
    names = [name for section in ("required", "optional") for name in order.get(section) or ()]
    known = dict.fromkeys(name for name in names if isinstance(name, str) and name in schema.inputs)
    return [schema.inputs[name] for name in known] + [spec for name, spec in schema.inputs.items() if name not in known]


def _kind(spec: InputSpec) -> str | None:
    """The kind of widget that an input has; None for a socket."""
    if spec.options.get("forceInput") is True:
        return None
    declared = spec.options.get("widgetType") or spec.type
    if not isinstance(declared, str):
        return "COMBO"
    return declared if declared in _PLAIN or declared in _SPECIAL or declared == DYNAMIC_COMBO else None


def _steps(inputs: Iterable[InputSpec]) -> Iterator[Step]:
    for spec in inputs:
        kind = _kind(spec)
        if kind is None:
            continue
        yield Widget(spec.name, kind, spec)
        if _is_controlled(spec, kind):
            yield Editor.CONTROL
            if kind == "COMBO":
                yield Editor.FILTER
        remote = spec.options.get("remote")
        if kind == "COMBO" and isinstance(remote, Mapping) and remote.get("refresh_button"):
            yield Editor.BUTTON
            yield Editor.BUTTON
        if kind == "COMBO" and spec.options.get("audio_upload"):
            yield Editor.PLAYER
            yield Editor.PLAYER


def _takes_uploads(spec: InputSpec) -> bool:
    return any(spec.options.get(key) for key in _IMAGE_UPLOADS)


def _is_controlled(spec: InputSpec, kind: str) -> bool:
    if kind not in ("INT", "COMBO"):
        return False
    if "control_after_generate" in spec.options:
        return bool(spec.options["control_after_generate"])
    return kind == "INT" and spec.name in ("seed", "noise_seed")
