"""Workflows that ship with the package: they run with the built-in nodes and the demo checkpoint alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Sample:
    """One of them."""

    name: str
    description: str
    tags: tuple[str, ...]
    document: bytes
    """JSON of a graph in API format."""


@cache
def load_samples() -> Mapping[str, Sample]:
    """Every sample by its name; `index.json` says what they are."""
    folder = files(__name__)
    index = json.loads(folder.joinpath("index.json").read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            name: Sample(name, entry["description"], tuple(entry["tags"]), folder.joinpath(name).read_bytes())
            for name, entry in index.items()
        }
    )
