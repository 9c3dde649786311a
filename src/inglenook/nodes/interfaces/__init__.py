"""Interface documents of the built-in nodes, readable without torch: the catalog of the API process."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import orjson


def yields_to_packs(class_type: str) -> bool:
    """Whether a class of a node pack takes the place of this built-in one: ours stands in for a well-known pack's."""
    return bool(builtin_interfaces().get(class_type, {}).get("engine", {}).get("yields_to_packs"))


@cache
def builtin_interfaces() -> dict[str, dict[str, Any]]:
    """Class name -> interface document (see `engine.schema`), of every topic."""
    documents: dict[str, dict[str, Any]] = {}
    for file in sorted(resources.files(__package__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".json"):
            documents.update(orjson.loads(file.read_bytes()))
    return documents
