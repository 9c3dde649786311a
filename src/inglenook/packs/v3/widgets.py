"""Types whose inputs have a widget in the editor.

The arguments of each `Input` stand in ComfyUI's order; `common` are those of `WidgetInput` that come after them:
`socketless`, `force_input`, `extra_dict`, `raw_link`, `advanced`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from inglenook.packs.v3 import types
from inglenook.packs.v3.options import (
    ControlAfterGenerate,
    FolderType,
    NumberDisplay,
    RemoteOptions,
    UploadType,
    value_of,
    without_none,
)
from inglenook.packs.v3.types import ComfyType, WidgetInput, comfytype


@comfytype(io_type="BOOLEAN")
class Boolean(ComfyType):
    Type = bool

    class Input(WidgetInput):
        def __init__(
            self,
            id: str,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            default: bool | None = None,
            label_on: str | None = None,
            label_off: str | None = None,
            socketless: bool | None = None,
            **common: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, default, socketless, **common)
            self.label_on = label_on
            self.label_off = label_off

        def as_dict(self) -> dict[str, Any]:
            return without_none({"label_on": self.label_on, "label_off": self.label_off}) | super().as_dict()


class _NumberInput(WidgetInput):
    """What INT and FLOAT share; `form` are the arguments of a WidgetInput."""

    def __init__(
        self,
        id: str,
        min: float | None,
        max: float | None,
        step: float | None,
        display_mode: NumberDisplay | None,
        **form: Any,
    ) -> None:
        super().__init__(id, **form)
        self.min = min
        self.max = max
        self.step = step
        self.display_mode = display_mode

    def as_dict(self) -> dict[str, Any]:
        own = {"min": self.min, "max": self.max, "step": self.step, "display": value_of(self.display_mode)}
        return without_none(own) | super().as_dict()


@comfytype(io_type="INT")
class Int(ComfyType):
    Type = int

    class Input(_NumberInput):
        def __init__(
            self,
            id: str,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            default: int | None = None,
            min: int | None = None,
            max: int | None = None,
            step: int | None = None,
            control_after_generate: bool | ControlAfterGenerate | None = None,
            display_mode: NumberDisplay | None = None,
            socketless: bool | None = None,
            **common: Any,
        ) -> None:
            form = _form(display_name, optional, tooltip, lazy, default, socketless)
            super().__init__(id, min, max, step, display_mode, **form, **common)
            self.control_after_generate = control_after_generate

        def as_dict(self) -> dict[str, Any]:
            own = {"control_after_generate": value_of(self.control_after_generate)}
            return without_none(own) | super().as_dict()


@comfytype(io_type="FLOAT")
class Float(ComfyType):
    Type = float

    class Input(_NumberInput):
        def __init__(
            self,
            id: str,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            default: float | None = None,
            min: float | None = None,
            max: float | None = None,
            step: float | None = None,
            round: float | bool | None = None,
            display_mode: NumberDisplay | None = None,
            gradient_stops: Sequence[Mapping[str, Any]] | None = None,
            socketless: bool | None = None,
            **common: Any,
        ) -> None:
            form = _form(display_name, optional, tooltip, lazy, default, socketless)
            super().__init__(id, min, max, step, display_mode, **form, **common)
            self.round = round
            self.gradient_stops = gradient_stops

        def as_dict(self) -> dict[str, Any]:
            return without_none({"round": self.round, "gradient_stops": self.gradient_stops}) | super().as_dict()


@comfytype(io_type="STRING")
class String(ComfyType):
    Type = str

    class Input(WidgetInput):
        def __init__(
            self,
            id: str,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            multiline: bool = False,
            placeholder: str | None = None,
            default: str | None = None,
            dynamic_prompts: bool | None = None,
            socketless: bool | None = None,
            **common: Any,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip, lazy, default, socketless, **common)
            self.multiline = multiline
            self.placeholder = placeholder
            self.dynamic_prompts = dynamic_prompts

        def as_dict(self) -> dict[str, Any]:
            own = {
                "multiline": self.multiline,
                "placeholder": self.placeholder,
                "dynamicPrompts": self.dynamic_prompts,
            }
            return without_none(own) | super().as_dict()


Options = Sequence[Any] | type[Enum] | None


def _choices(options: Options) -> list[Any] | None:
    """The choices of a list or of an enum, as the graph has them."""
    return None if options is None else [value_of(option) for option in options]


def _form(
    display_name: str | None,
    optional: bool,
    tooltip: str | None,
    lazy: bool | None,
    default: Any,
    socketless: bool | None,
) -> dict[str, Any]:
    return {
        "display_name": display_name,
        "optional": optional,
        "tooltip": tooltip,
        "lazy": lazy,
        "default": default,
        "socketless": socketless,
    }


class _ComboInput(WidgetInput):
    multiselect = False

    def __init__(
        self,
        id: str,
        options: Options = None,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        default: Any = None,
        control_after_generate: bool | ControlAfterGenerate | None = None,
        upload: UploadType | None = None,
        image_folder: FolderType | None = None,
        remote: RemoteOptions | None = None,
        socketless: bool | None = None,
        **common: Any,
    ) -> None:
        super().__init__(id, display_name, optional, tooltip, lazy, value_of(default), socketless, **common)
        self.options = _choices(options)
        self.control_after_generate = control_after_generate
        self.upload = upload
        self.image_folder = image_folder
        self.remote = remote

    def as_dict(self) -> dict[str, Any]:
        own = {
            "multiselect": self.multiselect,
            "options": self.options,
            "control_after_generate": value_of(self.control_after_generate),
            "image_folder": value_of(self.image_folder),
            "remote": None if self.remote is None else self.remote.as_dict(),
        }
        if self.upload is not None:
            own[value_of(self.upload)] = True
        return without_none(own) | super().as_dict()


@comfytype(io_type="COMBO")
class Combo(ComfyType):
    """One of several choices; the value is the choice, for an enum its member's value."""

    Type = str
    Input = _ComboInput

    class Output(types.Output):
        def __init__(
            self,
            id: str | None = None,
            display_name: str | None = None,
            options: Options = None,
            tooltip: str | None = None,
            is_output_list: bool = False,
        ) -> None:
            super().__init__(id, display_name, tooltip, is_output_list)
            self.options = _choices(options)

        def get_io_type(self) -> Any:
            """The choices themselves where they are known, which old-style combos take."""
            return self.options or self.io_type


@comfytype(io_type="COMBO")
class MultiCombo(ComfyType):
    """Several of several choices; the value is a list."""

    Type = list[str]

    class Input(_ComboInput):
        multiselect = True

        def __init__(
            self,
            id: str,
            options: Options,
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            default: Sequence[Any] | None = None,
            placeholder: str | None = None,
            chip: bool | None = None,
            control_after_generate: bool | ControlAfterGenerate | None = None,
            **common: Any,
        ) -> None:
            chosen = None if default is None else [value_of(item) for item in default]
            super().__init__(
                id, options, display_name, optional, tooltip, lazy, chosen, control_after_generate, **common
            )
            self.placeholder = placeholder
            self.chip = chip

        def as_dict(self) -> dict[str, Any]:
            own = {"multi_select": True, "placeholder": self.placeholder, "chip": self.chip}
            return without_none(own) | super().as_dict()
