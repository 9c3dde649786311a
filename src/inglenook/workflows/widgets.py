"""`widgets_values`: which saved value belongs to which input of a class.

The editor keeps the values of a node's widgets in a list without names. A class's widgets follow the order of its
inputs; behind some stand further values that only the editor uses. Files that were saved for an older form of a class
are read by the types of the values instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.schema import ChoiceSource, InputSpec, NodeSchema, read_inputs

_PLAIN = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})
_SPECIAL = frozenset(
    {"COLOR", "BOUNDING_BOX", "CURVE", "IMAGECOMPARE", "LOAD_3D", "LOAD_3D_ANIMATION", "WEBCAM", "AUDIO_RECORD"}
)
_DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"
_CONTROL_WORDS = frozenset({"fixed", "increment", "decrement", "randomize"})
_IMAGE_UPLOADS = ("image_upload", "video_upload", "animated_image_upload")
_MOST_ALIGNED = 4_000
"""Largest product of a node's values and widgets that is aligned by type."""
_MOST_ALIGNED_IN_ALL = 400_000
"""The same of all nodes that one reader reads: half a second."""
_DEEPEST_COMBO = 20

ABSENT: Any = object()
"""Stands for a value that is not there."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a list of values says."""

    values: dict[str, Any]
    """Input name -> value, of widgets that a value was found for; in input order."""
    used: int
    """How many positions the node's widgets take."""
    is_realigned: bool = False
    """The values did not fit in their order and were matched by their types."""


@dataclass(frozen=True, slots=True)
class _Editor:
    """A position that only the editor uses."""

    kind: str


_CONTROL = _Editor("control")
_FILTER = _Editor("filter")
_UPLOAD = _Editor("upload")
_NULL = _Editor("null")
_BUTTON = _Editor("button")


def kind_of(spec: InputSpec) -> str | None:
    """The kind of widget that an input has; None for a socket."""
    if spec.options.get("forceInput") is True:
        return None
    declared = spec.options.get("widgetType") or spec.type
    if not isinstance(declared, str):
        return "COMBO"
    return declared if declared in _PLAIN or declared in _SPECIAL or declared == _DYNAMIC_COMBO else None


def ordered_inputs(schema: NodeSchema) -> list[InputSpec]:
    """The inputs of a class in the editor's order, required ones first."""
    order = schema.info.get("input_order")
    if not isinstance(order, Mapping):
        return list(schema.inputs.values())
    names = [name for section in ("required", "optional") for name in order.get(section) or ()]
    known = dict.fromkeys(name for name in names if isinstance(name, str) and name in schema.inputs)
    return [schema.inputs[name] for name in known] + [spec for name, spec in schema.inputs.items() if name not in known]


def slot_names(schema: NodeSchema) -> list[str]:
    """Names of the input slots that the editor gives a new node: sockets, then widgets."""
    inputs = ordered_inputs(schema)
    sockets = [spec.name for spec in inputs if kind_of(spec) is None]
    return sockets + [spec.name for spec in inputs if kind_of(spec) is not None]


def default_value(spec: InputSpec, catalog: Catalog) -> Any:
    """What a widget shows in a new node; ABSENT when nothing is known."""
    if "default" in spec.options:
        return spec.options["default"]
    if kind_of(spec) == _DYNAMIC_COMBO:
        return next((option["key"] for option in _options(spec)), ABSENT)
    choices = _choices(spec, catalog)
    if choices:
        return choices[0]
    return "" if kind_of(spec) == "STRING" else ABSENT


def _choices(spec: InputSpec, catalog: Catalog) -> Sequence[Any]:
    declared = spec.choices
    if isinstance(declared, ChoiceSource):
        return catalog.choices(declared)
    return declared or ()


class WidgetReader:
    """Reads values for the classes of one catalog. Not for several threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._alignable = _MOST_ALIGNED_IN_ALL
        self._ordered: dict[str, list[InputSpec]] = {}
        self._allowed: dict[tuple[str, str], frozenset[str]] = {}

    def read(self, schema: NodeSchema, values: Sequence[Any]) -> Reading:
        """Give each value the name of its input; what is left over is not looked at.

        As the editor does, unless the list has another length than the class asks for and values do not fit their
        inputs: then it was saved for another form of the class, and values are given to inputs that they fit.
        """
        straight = _Walk(values)
        specs = straight.run(self._inputs(schema))
        reading = Reading(_named(straight.found), straight.position)
        misfits = straight.strange + self._misfits(schema, straight.found)
        if not misfits or straight.position == len(values):
            return reading
        lenient = _Walk(values, is_lenient=True)
        specs = lenient.run(self._inputs(schema))
        rest = self._misfits(schema, lenient.found)
        if not rest:
            return Reading(_named(lenient.found), lenient.position, is_realigned=True)
        size = len(specs) * len(values)
        if size > min(_MOST_ALIGNED, self._alignable):
            return reading
        self._alignable -= size
        aligned = self._aligned(schema, specs, values)
        if len(aligned) <= len(straight.found) - misfits:
            return reading
        return Reading(_named(aligned), straight.position, is_realigned=True)

    def _misfits(self, schema: NodeSchema, found: Iterable[tuple[InputSpec, Any]]) -> int:
        return sum(value is not None and not self._fit(schema, spec, value) for spec, value in found)

    def filled(self, schema: NodeSchema, values: Mapping[str, Any]) -> dict[str, Any]:
        """All widget values of a node: the given ones, else what a new node has. Null counts as not given."""
        found: dict[str, Any] = {}
        waiting = self._inputs(schema)[::-1]
        while waiting:
            spec = waiting.pop()
            if kind_of(spec) is None:
                continue
            value = values.get(spec.name)
            if value is None:
                value = default_value(spec, self._catalog)
            if value is ABSENT:
                continue
            found[spec.name] = value
            if kind_of(spec) == _DYNAMIC_COMBO:
                waiting += _chosen(spec, value)[::-1]
        return found

    def _inputs(self, schema: NodeSchema) -> list[InputSpec]:
        ordered = self._ordered.get(schema.class_type)
        if ordered is None:
            ordered = self._ordered[schema.class_type] = ordered_inputs(schema)
        return ordered

    def _fit(self, schema: NodeSchema, spec: InputSpec, value: Any) -> int:
        """How well a value fits an input: 0 not, 1 by its type, 2 as one of the choices."""
        match kind_of(spec):
            case "INT":
                return int(type(value) is int or (type(value) is float and value.is_integer()))
            case "FLOAT":
                return int(type(value) in (int, float))
            case "BOOLEAN":
                return int(type(value) is bool)
            case "STRING":
                return int(type(value) is str)
            case "COMBO":
                return self._fit_choice(schema, spec, value)
            case "COMFY_DYNAMICCOMBO_V3":
                return 2 * any(option["key"] == value for option in _options(spec))
            case _:
                return 1

    def _fit_choice(self, schema: NodeSchema, spec: InputSpec, value: Any) -> int:
        key = (schema.class_type, spec.name)
        if key not in self._allowed:
            self._allowed[key] = frozenset(str(choice) for choice in _choices(spec, self._catalog))
        allowed = self._allowed[key]
        if type(value) in (str, int, float, bool):
            return 2 if str(value) in allowed else int(type(value) is str or not allowed)
        return int(isinstance(value, (list, dict)))

    def _aligned(
        self, schema: NodeSchema, specs: Sequence[InputSpec], values: Sequence[Any]
    ) -> list[tuple[InputSpec, Any]]:
        """The best way to give values to widgets in order, where both may be left out: a longest common subsequence."""
        fits = [[0 if value is None else self._fit(schema, spec, value) for value in values] for spec in specs]
        best = [[0] * (len(values) + 1) for _ in range(len(specs) + 1)]
        for row in range(len(specs) - 1, -1, -1):
            for column in range(len(values) - 1, -1, -1):
                fit = fits[row][column]
                taken = best[row + 1][column + 1] + fit if fit else 0
                best[row][column] = max(taken, best[row + 1][column], best[row][column + 1])
        found, row, column = [], 0, 0
        while row < len(specs) and column < len(values):
            fit = fits[row][column]
            if fit and best[row][column] == best[row + 1][column + 1] + fit:
                found.append((specs[row], values[column]))
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
        self.found: list[tuple[InputSpec, Any]] = []
        self.strange = 0
        """Values at the place of the editor's own that are none of these."""
        self._is_lenient = is_lenient

    def run(self, inputs: Sequence[InputSpec]) -> list[InputSpec]:
        """Fill `found`; return the widgets in order."""
        specs: list[InputSpec] = []
        required = [spec for spec in inputs if spec.required]
        for part in _positions(required, upload=True), _positions([s for s in inputs if not s.required], upload=False):
            waiting = list(part)[::-1]
            while waiting:
                step = waiting.pop()
                if isinstance(step, _Editor):
                    self.skip(step)
                    continue
                specs.append(step)
                value = self.take(step)
                if kind_of(step) == _DYNAMIC_COMBO:
                    waiting += list(_positions(_chosen(step, value), upload=False))[::-1]
        return specs

    def take(self, spec: InputSpec) -> Any:
        value = self.values[self.position] if self.position < len(self.values) else ABSENT
        self.position += 1
        if value is not ABSENT:
            self.found.append((spec, value))
        return value

    def skip(self, step: _Editor) -> None:
        if self.position >= len(self.values):
            self.position += step is not _NULL
            return
        value = self.values[self.position]
        if step is _CONTROL and not _is_control(value):
            self.strange += 1
            if self._is_lenient:
                return
        if step is _NULL and value is not None:
            return
        self.position += 1


def _positions(inputs: Iterable[InputSpec], *, upload: bool) -> Iterator[InputSpec | _Editor]:
    """Widgets and what the editor keeps behind them."""
    has_upload = False
    for spec in inputs:
        kind = kind_of(spec)
        if kind is None:
            continue
        yield spec
        if _is_controlled(spec, kind):
            yield _CONTROL
            if kind == "COMBO":
                yield _FILTER
        if kind != "COMBO":
            continue
        remote = spec.options.get("remote")
        if isinstance(remote, Mapping) and remote.get("refresh_button"):
            yield _BUTTON
            yield _BUTTON
        if spec.options.get("audio_upload"):
            yield _NULL
            yield _NULL
        has_upload = has_upload or any(spec.options.get(key) for key in _IMAGE_UPLOADS)
    if upload and has_upload:
        yield _UPLOAD


def _is_control(value: Any) -> bool:
    """Whether a value can be that of a control: a word, or a switch in files of 2023."""
    return value is None or isinstance(value, bool) or (isinstance(value, str) and value in _CONTROL_WORDS)


def _is_controlled(spec: InputSpec, kind: str) -> bool:
    if kind not in ("INT", "COMBO"):
        return False
    if "control_after_generate" in spec.options:
        return bool(spec.options["control_after_generate"])
    return kind == "INT" and spec.name in ("seed", "noise_seed")


def _options(spec: InputSpec) -> list[Mapping[str, Any]]:
    """The options of a dynamic combo."""
    declared = spec.options.get("options")
    return [
        option
        for option in (declared if isinstance(declared, (list, tuple)) else ())
        if isinstance(option, Mapping) and "key" in option
    ]


def _chosen(spec: InputSpec, key: Any) -> list[InputSpec]:
    """The inputs that belong to the chosen option of a dynamic combo, under their full names."""
    if spec.name.count(".") > _DEEPEST_COMBO:
        return []
    for option in _options(spec):
        inputs = option.get("inputs")
        if option["key"] == key and isinstance(inputs, Mapping):
            return [replace(item, name=f"{spec.name}.{item.name}") for item in read_inputs(inputs).values()]
    return []


def _named(found: Iterable[tuple[InputSpec, Any]]) -> dict[str, Any]:
    return {spec.name: value for spec, value in found}
