"""Inputs, outputs, and types: a type is a class with an `io_type`, an `Input` and an `Output` of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar

from inglenook.packs.v3.options import without_none

Declared = TypeVar("Declared", bound=type)


class _Part:
    """What inputs and outputs share: the type that they belong to."""

    Parent: ClassVar[Any] = None

    @property
    def io_type(self) -> str:
        """The name of the type, as links have it."""
        return str(self.Parent.io_type)

    @property
    def Type(self) -> Any:
        """The Python type of the values."""
        return self.Parent.Type

    def validate(self) -> None:
        """Raise ValueError when the declaration makes no sense."""


class Input(_Part):
    """An input of a node."""

    def __init__(
        self,
        id: str,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        extra_dict: Mapping[str, Any] | None = None,
        raw_link: bool | None = None,
        advanced: bool | None = None,
    ) -> None:
        self.id = id
        self.display_name = display_name
        self.optional = optional
        self.tooltip = tooltip
        self.lazy = lazy
        self.extra_dict = dict(extra_dict or {})
        self.raw_link = raw_link
        self.advanced = advanced

    def as_dict(self) -> dict[str, Any]:
        """The options as the interface document has them."""
        return without_none(
            {
                "display_name": self.display_name,
                "tooltip": self.tooltip,
                "lazy": self.lazy,
                "rawLink": self.raw_link,
                "advanced": self.advanced,
                **self.extra_dict,
            }
        )

    def get_io_type(self) -> str:
        """The type as the interface document has it."""
        return self.io_type

    def get_all(self) -> list[Input]:
        """This input and those inside it."""
        return [self]


class WidgetInput(Input):
    """An input that has a widget as long as nothing is linked to it."""

    def __init__(
        self,
        id: str,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        default: Any = None,
        socketless: bool | None = None,
        widget_type: str | None = None,
        force_input: bool | None = None,
        extra_dict: Mapping[str, Any] | None = None,
        raw_link: bool | None = None,
        advanced: bool | None = None,
    ) -> None:
        super().__init__(id, display_name, optional, tooltip, lazy, extra_dict, raw_link, advanced)
        self.default = default
        self.socketless = socketless
        self.widget_type = widget_type
        self.force_input = force_input

    def as_dict(self) -> dict[str, Any]:
        own = {
            "default": self.default,
            "socketless": self.socketless,
            "widgetType": self.widget_type,
            "forceInput": self.force_input,
        }
        return without_none(own) | super().as_dict()

    def get_widget_type(self) -> str:
        """The kind of widget."""
        return self.io_type if self.widget_type is None else self.widget_type


class Output(_Part):
    """An output of a node."""

    def __init__(
        self,
        id: str | None = None,
        display_name: str | None = None,
        tooltip: str | None = None,
        is_output_list: bool = False,
    ) -> None:
        self.id = id
        self.display_name = display_name
        self.tooltip = tooltip
        self.is_output_list = is_output_list

    def get_io_type(self) -> Any:
        """The type as the interface document has it."""
        return self.io_type


class ComfyType:
    """Base of types. `comfytype` gives a subclass its name and its own `Input` and `Output`."""

    Type: Any = Any
    """The Python type of the values, for readers and type checkers."""
    io_type: ClassVar[str]
    Input: ClassVar[Any] = Input
    Output: ClassVar[Any] = Output


ComfyTypeI = ComfyTypeIO = ComfyType


def comfytype(io_type: str, **_: Any) -> Callable[[Declared], Declared]:
    """A decorator that makes of a class the type `io_type`.

    The class may bring an `Input` or `Output` of its own, which inherit from ours; otherwise it gets them.
    """

    def declare(declared: Declared) -> Declared:
        declared.io_type = io_type  # type: ignore[attr-defined]
        if not hasattr(declared, "Type"):
            declared.Type = Any  # type: ignore[attr-defined]
        parts: tuple[tuple[str, type[Any]], ...] = (("Input", Input), ("Output", Output))
        for name, base in parts:
            part: Any = vars(declared).get(name)
            if part is None or "Parent" in vars(part):  # inherited, or another type's
                names = {"__module__": declared.__module__, "__qualname__": f"{declared.__qualname__}.{name}"}
                part = type(name, (part or getattr(declared, name, base),), names)
            part.Parent = declared
            setattr(declared, name, part)
        return declared

    return declare


def new_type(name: str, io_type: str, value_type: Any = Any, **attributes: Any) -> Any:
    """A type that only links carry."""
    return comfytype(io_type)(type(name, (ComfyType,), {"Type": value_type, "__module__": __name__, **attributes}))


def Custom(io_type: str) -> Any:
    """A type of a pack's own, known by its name."""
    return new_type("Custom", io_type)


def inputs_document(inputs: Iterable[Input]) -> dict[str, dict[str, Any]]:
    """Inputs as the interface document has them: `{"required": {id: (type, options)}, "optional": {...}}`."""
    document: dict[str, dict[str, Any]] = {"required": {}}
    for declared in inputs:
        section = document.setdefault("optional" if declared.optional else "required", {})
        section[declared.id] = (declared.get_io_type(), declared.as_dict())
    return document
