"""Results of nodes kept from run to run, under the keys of `keys`; which of them are kept is a strategy.

ClassicCache   what the current graph can use (the default)
LruCache       a number of results, the least recently used go first
NoCache        nothing
MemoryPressureCache (in `memory`)   everything, until memory gets short
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

from inglenook.engine.expansion import ExpandedUi


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What a node gave."""

    outputs: tuple[list[Any], ...]
    """Per slot its values; a node that maps over lists has several."""
    ui: dict[str, list[Any]] | None = None
    expanded: ExpandedUi | None = None
    """The ui data of nodes that this node expanded into."""


Owner = tuple[str, str]
"""Node id and class of a node that expands."""


class Cache(Protocol):
    """Where the executor keeps results. Used by one run at a time."""

    def begin(self, keys: Collection[bytes], owners: Collection[Owner]) -> None:
        """A run of a graph with these keys and nodes begins."""

    def get(self, key: bytes) -> NodeResult | None:
        """The result kept under `key`."""

    def put(self, key: bytes, result: NodeResult) -> None:
        """Keep a result, if the strategy wants to."""

    def expansion(self, owner: Owner) -> Cache:
        """Where the results of the nodes live into which `owner` expands; `begin` it with each expansion."""

    def end(self) -> None:
        """The run is over."""

    def clear(self) -> None:
        """Forget everything."""


class ClassicCache:
    """Keeps what the current graph, or the expansion, can use; the rest goes when a run begins."""

    def __init__(self) -> None:
        self._results: dict[bytes, NodeResult] = {}
        self._expansions: dict[Owner, ClassicCache] = {}

    def __len__(self) -> int:
        return len(self._results) + sum(len(cache) for cache in self._expansions.values())

    def begin(self, keys: Collection[bytes], owners: Collection[Owner]) -> None:
        if self._results:
            wanted = keys if isinstance(keys, (set, frozenset, dict)) else set(keys)
            for key in [key for key in self._results if key not in wanted]:
                del self._results[key]
        if self._expansions:
            for owner in self._expansions.keys() - set(owners):
                del self._expansions[owner]

    def get(self, key: bytes) -> NodeResult | None:
        return self._results.get(key)

    def put(self, key: bytes, result: NodeResult) -> None:
        self._results[key] = result

    def expansion(self, owner: Owner) -> Cache:
        return self._expansions.setdefault(owner, ClassicCache())

    def end(self) -> None:
        pass

    def clear(self) -> None:
        self._results.clear()
        self._expansions.clear()


class LruCache:
    """Keeps up to `size` results over several graphs, and always those of the current one while it runs."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._results: OrderedDict[bytes, NodeResult] = OrderedDict()

    def __len__(self) -> int:
        return len(self._results)

    def begin(self, keys: Collection[bytes], owners: Collection[Owner]) -> None:
        for key in keys:
            if key in self._results:
                self._results.move_to_end(key)

    def get(self, key: bytes) -> NodeResult | None:
        result = self._results.get(key)
        if result is not None:
            self._results.move_to_end(key)
        return result

    def put(self, key: bytes, result: NodeResult) -> None:
        self._results[key] = result
        self._results.move_to_end(key)

    def expansion(self, owner: Owner) -> Cache:
        return self

    def end(self) -> None:
        while len(self._results) > self.size:
            self._results.popitem(last=False)

    def clear(self) -> None:
        self._results.clear()


class NoCache:
    """Keeps nothing: each run computes everything, and drops results that nothing needs any more."""

    def begin(self, keys: Collection[bytes], owners: Collection[Owner]) -> None:
        pass

    def get(self, key: bytes) -> NodeResult | None:
        return None

    def put(self, key: bytes, result: NodeResult) -> None:
        pass

    def expansion(self, owner: Owner) -> Cache:
        return self

    def end(self) -> None:
        pass

    def clear(self) -> None:
        pass
