"""Parameters of workflows that were recognised lately: most requests set values in a workflow that was sent before.

Recognising takes 0.1 ms a node, which is more than all the rest of a submission.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import orjson

from inglenook.engine.catalog import Catalog
from inglenook.workflows.parameter import Parameter

_MOST = 64
_MOST_PARAMETERS = 2_000


class Recognised:
    """Remembers the parameters of a few graphs, as long as the node classes are the same ones.

    Lists of files in them may be old: what they refuse is to be recognised anew.
    """

    def __init__(self) -> None:
        self._catalog: Catalog | None = None
        self._kept: OrderedDict[bytes, list[Parameter]] = OrderedDict()

    def key(self, document: Mapping[str, Any]) -> bytes:
        """What a graph in API format is remembered under."""
        return hashlib.blake2b(orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS), digest_size=16).digest()

    def get(self, catalog: Catalog, key: bytes) -> list[Parameter] | None:
        if catalog is not self._catalog:
            self._catalog = catalog
            self._kept.clear()
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, catalog: Catalog, key: bytes, parameters: list[Parameter]) -> None:
        """Remember parameters that were recognised with this catalog."""
        if catalog is self._catalog and len(parameters) <= _MOST_PARAMETERS:
            self._kept[key] = parameters
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
