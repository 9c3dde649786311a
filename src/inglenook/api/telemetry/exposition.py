"""Metrics in Prometheus' text format, version 0.0.4.

Written here instead of taken from a library: half of the figures are read when somebody asks, the others are a dozen
dictionaries, and label values must be bounded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

MOST_SERIES = 2000
"""Sets of label values of one metric; those beyond it count as `other`."""

Labels = tuple[str, ...]


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _escaped(value: str) -> str:
    text = value.encode("utf-8", "replace").decode()
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _labels(names: Sequence[str], values: Labels, *more: tuple[str, str]) -> str:
    pairs = [f'{name}="{_escaped(value)}"' for name, value in (*zip(names, values, strict=True), *more)]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _head(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]


def gauge(name: str, meaning: str, values: Mapping[Labels, float] | float, labels: Sequence[str] = ()) -> list[str]:
    """The lines of figures that are read when somebody asks."""
    found = values if isinstance(values, Mapping) else {(): values}
    return [
        *_head(name, "gauge", meaning),
        *(f"{name}{_labels(labels, key)} {_number(value)}" for key, value in found.items()),
    ]


@dataclass(slots=True)
class Counter:
    """Figures that only grow."""

    name: str
    meaning: str
    labels: Sequence[str] = ()
    _values: dict[Labels, float] = field(default_factory=dict)

    def add(self, *values: str, amount: float = 1.0) -> None:
        key = _bounded(self._values, values)
        self._values[key] = self._values.get(key, 0.0) + amount

    def lines(self) -> list[str]:
        values = self._values or ({(): 0.0} if not self.labels else {})
        return [
            *_head(self.name, "counter", self.meaning),
            *(f"{self.name}{_labels(self.labels, key)} {_number(value)}" for key, value in values.items()),
        ]


@dataclass(slots=True)
class _Series:
    counts: list[int]
    total: float = 0.0


@dataclass(slots=True)
class Histogram:
    """How often something took how long."""

    name: str
    meaning: str
    buckets: Sequence[float]
    """Upper bounds, ascending, without infinity."""
    labels: Sequence[str] = ()
    _series: dict[Labels, _Series] = field(default_factory=dict)

    def observe(self, value: float, *values: str) -> None:
        key = _bounded(self._series, values)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series([0] * (len(self.buckets) + 1))
        series.counts[bisect_left(self.buckets, value)] += 1
        series.total += value

    def lines(self) -> list[str]:
        lines = _head(self.name, "histogram", self.meaning)
        for key, series in self._series.items():
            below = 0
            for bound, count in zip((*map(_number, self.buckets), "+Inf"), series.counts, strict=True):
                below += count
                lines.append(f"{self.name}_bucket{_labels(self.labels, key, ('le', bound))} {below}")
            lines.append(f"{self.name}_sum{_labels(self.labels, key)} {_number(series.total)}")
            lines.append(f"{self.name}_count{_labels(self.labels, key)} {below}")
        return lines


def _bounded(known: Mapping[Labels, object], values: Labels) -> Labels:
    if values in known or len(known) < MOST_SERIES:
        return values
    return ("other",) * len(values)


def document(groups: Iterable[Sequence[str]]) -> bytes:
    """The text of metrics, each given by its lines."""
    return "".join(f"{line}\n" for lines in groups for line in lines).encode()
