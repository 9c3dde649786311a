"""Interface documents of the built-in nodes, readable without torch: the catalog of the API process."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import orjson


@cache
def builtin_interfaces() -> dict[str, dict[str, Any]]:
    """Class name -> interface document (see `engine.schema`), of every topic."""
    documents: dict[str, dict[str, Any]] = {}
    for file in sorted(resources.files(__package__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".json"):
            documents.update(orjson.loads(file.read_bytes()))
    return documents
