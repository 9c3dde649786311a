"""Inputs that stand for others, and types that depend on what is linked.

`engine.dynamic` reads the options that are written here: which plain inputs a node has, and the argument made of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inglenook.packs.v3 import types
from inglenook.packs.v3.options import value_of, without_none
from inglenook.packs.v3.sockets import AnyType
from inglenook.packs.v3.types import ComfyType, Input, WidgetInput, comfytype, inputs_document


@comfytype(io_type="COMFY_MULTITYPED_V3")
class MultiType(ComfyType):
    """An input that takes several types, perhaps with the widget of one of them."""

    class Input(types.Input):
        """id: the name, or an input whose name, options and type it takes over. types: what it takes besides."""

        def __init__(
            self,
            id: str | Input,
            types: Sequence[Any],
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            extra_dict: Mapping[str, Any] | None = None,
            **common: Any,
        ) -> None:
            self.input_override = None if isinstance(id, str) else id
            base = self.input_override
            if base is not None:
                display_name = base.display_name if display_name is None else display_name
                optional = base.optional or optional
                tooltip = base.tooltip if tooltip is None else tooltip
                lazy = base.lazy if lazy is None else lazy
                extra_dict = {**base.extra_dict, **(extra_dict or {})}
            name = id if isinstance(id, str) else id.id
            super().__init__(name, display_name, optional, tooltip, lazy, extra_dict, **common)
            self.types = list(types)

        def get_io_type(self) -> str:
            own = [] if self.input_override is None else [self.input_override.get_io_type()]
            return ",".join(dict.fromkeys([*own, *(kind.io_type for kind in self.types)]))

        def as_dict(self) -> dict[str, Any]:
            base = self.input_override
            if base is None:
                return super().as_dict()
            widget = {"widgetType": base.get_widget_type()} if isinstance(base, WidgetInput) else {}
            return base.as_dict() | widget | super().as_dict()


@comfytype(io_type="COMFY_MATCHTYPE_V3")
class MatchType(ComfyType):
    """Inputs and outputs with one template have one type, whichever is linked first."""

    class Template:
        """allowed_types: a type or several; any without it."""

        def __init__(self, template_id: str, allowed_types: Any = AnyType) -> None:
            self.template_id = template_id
            self.allowed_types = list(allowed_types) if isinstance(allowed_types, (list, tuple)) else [allowed_types]

        def as_dict(self) -> dict[str, Any]:
            allowed = ",".join(kind.io_type for kind in self.allowed_types)
            return {"template_id": self.template_id, "allowed_types": allowed}

    class Input(types.Input):
        def __init__(self, id: str, template: MatchType.Template, *form: Any, **common: Any) -> None:
            """form, common: as an `Input` takes them after its name."""
            super().__init__(id, *form, **common)
            self.template = template

        def as_dict(self) -> dict[str, Any]:
            return super().as_dict() | {"template": self.template.as_dict()}

    class Output(types.Output):
        def __init__(
            self,
            template: MatchType.Template,
            id: str | None = None,
            display_name: str | None = None,
            tooltip: str | None = None,
            is_output_list: bool = False,
        ) -> None:
            super().__init__(id, display_name, tooltip, is_output_list)
            self.template = template


class DynamicInput(Input):
    """An input that stands for others."""

    def inner(self) -> list[list[Input]]:
        """The declarations inside it, those that appear together in one list."""
        return []

    def get_all(self) -> list[Input]:
        return [self, *(part for group in self.inner() for declared in group for part in declared.get_all())]


@comfytype(io_type="COMFY_AUTOGROW_V3")
class Autogrow(ComfyType):
    """A row of inputs of one kind, as many as are linked; the value is a dict of those that were given."""

    Type = dict[str, Any]

    class _Template:
        """What the inputs of the row have in common."""

        MaxNames = 100

        def __init__(self, input: Input, min: int) -> None:
            self.input = input
            self.min = min

        def as_dict(self) -> dict[str, Any]:
            return {"input": inputs_document([self.input])}

    class TemplatePrefix(_Template):
        """Inputs called `<prefix>0`, `<prefix>1`, ...; the first `min` are required, there are at most `max`."""

        def __init__(self, input: Input, prefix: str, min: int = 1, max: int = 10) -> None:
            super().__init__(input, min)
            self.prefix = prefix
            self.max = max

        def as_dict(self) -> dict[str, Any]:
            return super().as_dict() | {"prefix": self.prefix, "min": self.min, "max": self.max}

        def validate(self) -> None:
            if not 0 <= self.min <= self.max <= self.MaxNames:
                raise ValueError(f"a growing input has 0 to {self.MaxNames} parts, not {self.min} to {self.max}")

    class TemplateNames(_Template):
        """Inputs with the names given, in this order; the first `min` are required."""

        def __init__(self, input: Input, names: Sequence[str], min: int = 1) -> None:
            super().__init__(input, min)
            self.names = [str(value_of(name)) for name in names]

        def as_dict(self) -> dict[str, Any]:
            return super().as_dict() | {"names": self.names, "min": self.min}

        def validate(self) -> None:
            if len(set(self.names)) != len(self.names):
                raise ValueError(f"names of a growing input occur twice: {', '.join(self.names)}")
            if not 0 <= self.min <= len(self.names) <= self.MaxNames:
                raise ValueError(f"a growing input with {len(self.names)} names cannot have {self.min} required ones")

    class Input(DynamicInput):
        def __init__(self, id: str, template: Any, *form: Any, **common: Any) -> None:
            """template: a TemplatePrefix or TemplateNames. form, common: as an `Input` takes them after its name."""
            super().__init__(id, *form, **common)
            self.template = template

        def as_dict(self) -> dict[str, Any]:
            return super().as_dict() | {"template": self.template.as_dict()}

        def inner(self) -> list[list[Input]]:
            return [[self.template.input]]

        def validate(self) -> None:
            self.template.validate()


@comfytype(io_type="COMFY_DYNAMICCOMBO_V3")
class DynamicCombo(ComfyType):
    """A choice that brings inputs of its own; the value is a dict of the choice, under its id, and those inputs."""

    Type = dict[str, Any]

    class Option:
        """A choice and its inputs."""

        def __init__(self, key: str, inputs: Sequence[Input]) -> None:
            self.key = value_of(key)
            self.inputs = list(inputs)

        def as_dict(self) -> dict[str, Any]:
            return {"key": self.key, "inputs": inputs_document(self.inputs)}

    class Input(DynamicInput):
        def __init__(self, id: str, options: Sequence[DynamicCombo.Option], *form: Any, **common: Any) -> None:
            """form, common: as an `Input` takes them after its name."""
            super().__init__(id, *form, **common)
            self.options = list(options)

        def as_dict(self) -> dict[str, Any]:
            return super().as_dict() | {"options": [option.as_dict() for option in self.options]}

        def inner(self) -> list[list[Input]]:
            return [option.inputs for option in self.options]

        def validate(self) -> None:
            keys = [option.key for option in self.options]
            if len(set(keys)) != len(keys):
                raise ValueError(f"options occur twice: {', '.join(map(str, keys))}")


@comfytype(io_type="COMFY_DYNAMICSLOT_V3")
class DynamicSlot(ComfyType):
    """An optional link that brings inputs of its own; the value is a dict of what is linked, by its id, and them."""

    Type = dict[str, Any]

    class Input(DynamicInput):
        def __init__(
            self,
            slot: Input,
            inputs: Sequence[Input],
            display_name: str | None = None,
            tooltip: str | None = None,
            lazy: bool | None = None,
            extra_dict: Mapping[str, Any] | None = None,
        ) -> None:
            super().__init__(
                slot.id,
                slot.display_name if display_name is None else display_name,
                True,
                slot.tooltip if tooltip is None else tooltip,
                slot.lazy if lazy is None else lazy,
                {**slot.extra_dict, **(extra_dict or {})},
            )
            self.slot = slot
            self.inputs = list(inputs)

        def as_dict(self) -> dict[str, Any]:
            own = {"slotType": str(self.slot.get_io_type()), "inputs": inputs_document(self.inputs)}
            return super().as_dict() | without_none(own | {"forceInput": True})

        def inner(self) -> list[list[Input]]:
            return [self.inputs]
