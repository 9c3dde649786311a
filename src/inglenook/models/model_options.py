"""`model_options` of a model, as node packs read it: nothing is patched, and a patch is refused, not ignored."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NoReturn

from inglenook.errors import NodeError


class ModelOptions(dict[str, Any]):
    """A dict that cannot be changed; copies of it can, and are looked at where they are used (`refuse_options`)."""

    def __setitem__(self, key: str, value: Any) -> NoReturn:
        raise _refusal(key)

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key in self:
            return self[key]
        raise _refusal(key)

    def update(self, *others: Any, **values: Any) -> None:
        for key in dict(*others, **values):
            raise _refusal(key)

    def copy(self) -> dict[str, Any]:
        return dict(self)

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return {key: deepcopy(value, memo) for key, value in self.items()}


UNPATCHED = ModelOptions(transformer_options=ModelOptions())


def refuse_options(options: Mapping[str, Any] | None) -> None:
    """Raise NodeError for model options, which a pack would rely on, unless they are those of an unpatched model."""
    for name, value in (options or {}).items():
        if name not in UNPATCHED or value:
            raise _refusal(name)


def _refusal(name: str) -> NodeError:
    return NodeError(f"model option {name!r} is not supported: inglenook's models are not patched")
