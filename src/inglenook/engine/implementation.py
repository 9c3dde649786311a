"""How a node class runs: the seam between the executor and node code of any style (functions, V1 and V3 classes)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from inglenook.engine.schema import NodeSchema


class NodeInstance(Protocol):
    """What is kept per node id over runs; `self` attributes of a V1 class live here."""

    def run(self, **inputs: Any) -> Any:
        """Outputs as a tuple; or a dict with any of `ui`, `result`, `expand`; or an awaitable of one of these."""


@dataclass(frozen=True, slots=True)
class NodeImplementation:
    """A node class that can run."""

    schema: NodeSchema
    create: Callable[[], NodeInstance]
    """Called once per node id."""
    fingerprint: Callable[..., Any] | None = None
    """IS_CHANGED: called with the inputs (links as None); its result is part of the cache key."""
    validate: Callable[..., Any] | None = None
    """VALIDATE_INPUTS: called with the constant inputs that the schema's `validated_inputs` name (all with
    `validates_all`, and `input_types` with `checks_types`); True, or False or a reason."""
    is_async: bool = False
    """Whether `run` returns awaitables: such nodes are started before others that are ready."""
    check_lazy: Callable[[NodeInstance, Mapping[str, Any]], Any] | None = None
    """check_lazy_status: called with the instance and its inputs, unevaluated ones None; names what is still needed."""
    document: Mapping[str, Any] | None = None
    """The interface document of a class whose code says it: with `renew`."""
    renew: Callable[[], NodeImplementation] | None = None
    """Reads such a class again: what it says may have changed since, lists of choices above all. Raises what the
    class's own code raises, or that its document cannot be read."""


@dataclass(frozen=True, slots=True)
class FunctionNode:
    """A node that is a plain function: nothing is kept between runs."""

    function: Callable[..., Any]

    def run(self, **inputs: Any) -> Any:
        return self.function(**inputs)
