"""Files that a workflow names and the server does not have: models, and inputs such as pictures."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from inglenook.engine.catalog import Catalog
from inglenook.engine.schema import ChoiceSource
from inglenook.engine.values import shorten

_MOST_FILES = 100
_MOST_COMPARED = 20
"""Files that near matches are looked for."""
_LONGEST_COMPARED = 200


@dataclass(frozen=True, slots=True)
class MissingFile:
    """A value that is no file of its folder."""

    kind: Literal["model", "input"]
    node_id: str
    class_type: str
    input_name: str
    value: str
    folder: str
    """Model folder, or `input`."""
    near_matches: tuple[str, ...]
    """Files that are there with a similar name, most similar first."""

    def to_json(self) -> dict[str, Any]:
        return {
            "node_id": shorten(self.node_id, 100),
            "class_type": self.class_type,
            "input_name": self.input_name,
            "value": shorten(self.value, 200),
            "folder": self.folder,
            "near_matches": list(self.near_matches),
        }


def find_missing_files(graph: Mapping[str, Any], catalog: Catalog) -> list[MissingFile]:
    """The files that an API-format graph names and that are not there; 100 at most."""
    listed: dict[ChoiceSource, tuple[str, ...]] = {}
    found: list[MissingFile] = []
    for node_id, class_type, name, source, value in _named_files(graph, catalog):
        if source not in listed:
            listed[source] = catalog.choices(source)
        is_input = source.kind == "input"
        if value in listed[source] or (is_input and catalog.file_exists(value, source.key)):
            continue
        near = _near(value, listed[source]) if len(found) < _MOST_COMPARED else ()
        kind: Literal["model", "input"] = "input" if is_input else "model"
        folder = "input" if is_input else source.key
        found.append(MissingFile(kind, node_id, class_type, name, value, folder, near))
        if len(found) >= _MOST_FILES:
            break
    return found


def _named_files(graph: Mapping[str, Any], catalog: Catalog) -> Iterator[tuple[str, str, str, ChoiceSource, str]]:
    """(node id, class, input, where its choices are, value) of every input that names a file."""
    for node_id, node in graph.items():
        class_type = node.get("class_type") if isinstance(node, Mapping) else None
        schema = catalog.get(class_type) if isinstance(class_type, str) else None
        inputs = node.get("inputs") if isinstance(node, Mapping) else None
        if schema is None or not isinstance(inputs, Mapping):
            continue
        for name, spec in schema.inputs.items():
            source, value = spec.choices, inputs.get(name)
            if isinstance(source, ChoiceSource) and source.kind != "names" and isinstance(value, str):
                yield str(node_id), schema.class_type, name, source, value


def _near(value: str, listed: tuple[str, ...]) -> tuple[str, ...]:
    """Similar file names; folders before them count less than the name itself."""
    if len(value) > _LONGEST_COMPARED:
        return ()
    by_name: dict[str, str] = {}
    for file in listed:
        by_name.setdefault(_last(file), file)
    close = difflib.get_close_matches(_last(value), by_name, n=3, cutoff=0.6)
    return tuple(by_name[name] for name in close)


def _last(path: str) -> str:
    """The name alone: an extension that all files share makes none of them similar."""
    name = path.replace("\\", "/").rsplit("/", 1)[-1].lower()
    return name.rpartition(".")[0] or name
