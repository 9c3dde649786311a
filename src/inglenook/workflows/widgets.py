"""`widgets_values`: which saved value belongs to which input of a class.

The editor keeps the values of a node's widgets in a list without names, in the order of `widget_layout`. Files that
were saved for an older form of a class are read by the types of the values instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.schema import NodeSchema
from inglenook.workflows.widget_layout import ABSENT, DYNAMIC_COMBO, Editor, Step, Widget, chosen, layout

_CHOICES = ("COMBO", DYNAMIC_COMBO)
_CONTROL_WORDS = frozenset({"fixed", "increment", "decrement", "randomize"})
_EDITOR_VALUES = {
    Editor.CONTROL: "fixed",
    Editor.FILTER: "",
    Editor.BUTTON: None,
    Editor.UPLOAD: "image",
    Editor.PLAYER: None,
}
_MOST_ALIGNED = 4_000
"""Largest product of a node's values and widgets that is aligned by type."""
_MOST_ALIGNED_IN_ALL = 400_000
"""The same of all nodes that one reader reads: half a second."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a list of values says."""

    values: dict[str, Any]
    """Input name -> value, of widgets that a value was found for; in input order."""
    used: int
    """How many positions the node's widgets take."""
    is_realigned: bool = False
    """The values did not fit in their order and were matched by their types."""
    positions: dict[str, int] = field(default_factory=dict)
    """Input name -> place of its value in the list, perhaps behind its end."""


class WidgetReader:
    """Reads values for the classes of one catalog. Not for several threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._alignable = _MOST_ALIGNED_IN_ALL
        self._layouts: dict[str, tuple[Step, ...]] = {}
        self._allowed: dict[tuple[str, str], frozenset[str]] = {}
        self._defaults: dict[tuple[str, str], Any] = {}

    def read(self, schema: NodeSchema, values: Sequence[Any]) -> Reading:
        """Give each value the name of its input; what is left over is not looked at.

        As the editor does, unless the list has another length than the class asks for and values do not fit their
        inputs: then it was saved for another form of the class, and values are given to inputs that they fit.
        """
        straight = _Walk(values)
        straight.run(self._layout(schema))
        reading = Reading(_named(straight.found), straight.position, positions=straight.positions)
        if straight.position == len(values):
            return reading
        misfits = straight.strange + self._misfits(schema, straight.found)
        if not misfits:
            return reading
        lenient = _Walk(values, is_lenient=True)
        widgets = lenient.run(self._layout(schema))
        if not self._misfits(schema, lenient.found):
            return Reading(_named(lenient.found), lenient.position, True, lenient.positions)
        size = len(widgets) * len(values)
        if size > min(_MOST_ALIGNED, self._alignable):
            return reading
        self._alignable -= size
        aligned = self._aligned(schema, widgets, values)
        if len(aligned) <= len(straight.found) - misfits:
            return reading
        positions = {widget.name: column for widget, column in aligned}
        found = {name: values[column] for name, column in positions.items()}
        return Reading(found, straight.position, True, positions)

    def filled(self, schema: NodeSchema, values: Mapping[str, Any]) -> dict[str, Any]:
        """All widget values of a node: the given ones, else what a new node has.

        Null counts as not given for a choice; of other widgets it stays away, as the editor submits it: null is no
        value that a class takes.
        """
        found: dict[str, Any] = {}
        waiting = list(self._layout(schema)[::-1])
        while waiting:
            step = waiting.pop()
            if isinstance(step, Editor):
                continue
            value = values.get(step.name, ABSENT)
            if value is ABSENT or (value is None and step.kind in _CHOICES):
                value = self._default(schema, step)
            if value is ABSENT or value is None:
                continue
            found[step.name] = value
            if step.is_dynamic:
                waiting += chosen(step, value)[::-1]
        return found

    def written(self, schema: NodeSchema, values: Mapping[str, Any]) -> list[Any]:
        """The list of values as the editor would save it: the opposite of `read`, where `filled` gave the values."""
        listed: list[Any] = []
        waiting = list(self._layout(schema)[::-1])
        while waiting:
            step = waiting.pop()
            if isinstance(step, Editor):
                listed.append(_EDITOR_VALUES[step])
                continue
            listed.append(values.get(step.name))
            if step.is_dynamic:
                waiting += chosen(step, values.get(step.name))[::-1]
        return listed

    def _layout(self, schema: NodeSchema) -> tuple[Step, ...]:
        steps = self._layouts.get(schema.class_type)
        if steps is None:
            steps = self._layouts[schema.class_type] = layout(schema)
        return steps

    def _default(self, schema: NodeSchema, widget: Widget) -> Any:
        if "." in widget.name:  # part of a dynamic combo: another option may have another of that name
            return widget.default(self._catalog)
        key = (schema.class_type, widget.name)
        if key not in self._defaults:
            self._defaults[key] = widget.default(self._catalog)
        return self._defaults[key]

    def _misfits(self, schema: NodeSchema, found: Iterable[tuple[Widget, Any]]) -> int:
        return sum(value is not None and not self._fit(schema, widget, value) for widget, value in found)

    def _fit(self, schema: NodeSchema, widget: Widget, value: Any) -> int:
        """How well a value fits an input: 0 not, 1 by its type, 2 as one of the choices."""
        match widget.kind:
            case "INT":
                return int(type(value) is int or (type(value) is float and value.is_integer()))
            case "FLOAT":
                return int(type(value) in (int, float))
            case "BOOLEAN":
                return int(type(value) is bool)
            case "STRING":
                return int(type(value) is str)
            case "COMBO":
                return self._fit_choice(schema, widget, value)
            case _ if widget.is_dynamic:
                return 2 * any(option["key"] == value for option in widget.options())
            case _:
                return 1

    def _fit_choice(self, schema: NodeSchema, widget: Widget, value: Any) -> int:
        allowed = self._choices(schema, widget)
        if type(value) in (str, int, float, bool):
            return 2 if str(value) in allowed else int(type(value) is str or not allowed)
        return int(isinstance(value, (list, dict)))

    def _choices(self, schema: NodeSchema, widget: Widget) -> frozenset[str]:
        key = (schema.class_type, widget.name)
        allowed = self._allowed.get(key)
        if allowed is None or "." in widget.name:
            allowed = self._allowed[key] = frozenset(str(choice) for choice in widget.choices(self._catalog))
        return allowed

    def _aligned(
        self, schema: NodeSchema, widgets: Sequence[Widget], values: Sequence[Any]
    ) -> list[tuple[Widget, int]]:
        """The best way to give values to widgets in order, where both may be left out: a longest common subsequence.

        Returns widgets with the positions of their values.
        """
        fits = [[0 if value is None else self._fit(schema, one, value) for value in values] for one in widgets]
        best = [[0] * (len(values) + 1) for _ in range(len(widgets) + 1)]
        for row in range(len(widgets) - 1, -1, -1):
            for column in range(len(values) - 1, -1, -1):
                fit = fits[row][column]
                taken = best[row + 1][column + 1] + fit if fit else 0
                best[row][column] = max(taken, best[row + 1][column], best[row][column + 1])
        found, row, column = [], 0, 0
        while row < len(widgets) and column < len(values):
            fit = fits[row][column]
            if fit and best[row][column] == best[row + 1][column + 1] + fit:
                found.append((widgets[row], column))
                row, column = row + 1, column + 1
            elif best[row][column] == best[row][column + 1]:
                column += 1
            else:
                row += 1
        return found


class _Walk:
    """Takes values position by position."""

    def __init__(self, values: Sequence[Any], *, is_lenient: bool = False) -> None:
        """is_lenient: where the editor's own value should be, but another is, there is none."""
        self.values = values
        self.position = 0
        self.found: list[tuple[Widget, Any]] = []
        self.positions: dict[str, int] = {}
        self.strange = 0
        """Values at the place of the editor's own that are none of these."""
        self._is_lenient = is_lenient

    def run(self, steps: Sequence[Step]) -> list[Widget]:
        """Fill `found`; return the widgets in order."""
        widgets: list[Widget] = []
        waiting = list(steps[::-1])
        while waiting:
            step = waiting.pop()
            if isinstance(step, Editor):
                self.skip(step)
                continue
            widgets.append(step)
            value = self.take(step)
            if step.is_dynamic:
                waiting += chosen(step, value)[::-1]
        return widgets

    def take(self, widget: Widget) -> Any:
        value = self.values[self.position] if self.position < len(self.values) else ABSENT
        self.positions[widget.name] = self.position
        self.position += 1
        if value is not ABSENT:
            self.found.append((widget, value))
        return value

    def skip(self, step: Editor) -> None:
        if self.position >= len(self.values):
            self.position += step is not Editor.PLAYER
            return
        value = self.values[self.position]
        if step is Editor.CONTROL and not _is_control(value):
            self.strange += 1
            if self._is_lenient:
                return
        if step is Editor.PLAYER and value is not None:
            return
        self.position += 1


def _is_control(value: Any) -> bool:
    """Whether a value can be that of a control: a word, or a switch in files of 2023."""
    return value is None or isinstance(value, bool) or (isinstance(value, str) and value in _CONTROL_WORDS)


def _named(found: Iterable[tuple[Widget, Any]]) -> dict[str, Any]:
    return {widget.name: value for widget, value in found}
