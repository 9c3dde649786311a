"""What a node function returned, in whichever of the forms that ComfyUI takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inglenook.engine.blocker import ExecutionBlocker
from inglenook.errors import NodeError


class NodeOutput:
    """Outputs in order, data for the editor (a dict or a helper of `ui`), a graph in the node's place, or a block."""

    def __init__(
        self,
        *args: Any,
        ui: Any = None,
        expand: Mapping[str, Any] | None = None,
        block_execution: str | None = None,
    ) -> None:
        self.args = args
        self.ui = ui
        self.expand = expand
        self.block_execution = block_execution
        """The message of a block of all outputs, "" for a silent one."""

    @property
    def result(self) -> tuple[Any, ...] | None:
        """The outputs, or None when there are none."""
        return self.args or None

    def __getitem__(self, index: Any) -> Any:
        return self.args[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.args)

    def __len__(self) -> int:
        return len(self.args)

    def __bool__(self) -> bool:
        return True

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NodeOutput:
        """From a dict with any of `result`, `ui`, `expand`."""
        result = data.get("result")
        ui, expand = data.get("ui"), data.get("expand")
        if isinstance(result, ExecutionBlocker):
            return cls(ui=ui, expand=expand, block_execution=result.message or "")
        return cls(*(result or ()), ui=ui, expand=expand)


def ui_dict(ui: Any) -> Any:
    """Data for the editor as a dict."""
    as_dict = getattr(ui, "as_dict", None)
    return as_dict() if callable(as_dict) else ui


def engine_result(value: Any, class_type: str, output_count: int, *, may_expand: bool) -> Any:
    """What the engine takes in place of what the node function returned: outputs as a tuple, or a dict with more.

    Raises NodeError for an expansion of a class that does not announce it. What is none of the known forms stays as
    it is: the engine says so.
    """
    if value is None:
        return ()
    if isinstance(value, NodeOutput):
        return _from_output(value, class_type, output_count, may_expand)
    if isinstance(value, Mapping):
        _check_expansion(value.get("expand"), class_type, may_expand)
        return {**value, "ui": ui_dict(value.get("ui"))}
    return value


def _from_output(value: NodeOutput, class_type: str, output_count: int, may_expand: bool) -> Any:
    outputs: Any = value.args
    if value.block_execution is not None:
        outputs = (ExecutionBlocker(value.block_execution or None),) * output_count
    if value.ui is None and value.expand is None:
        return outputs
    _check_expansion(value.expand, class_type, may_expand)
    return {"result": outputs, "ui": ui_dict(value.ui), "expand": value.expand}


def _check_expansion(expand: Any, class_type: str, may_expand: bool) -> None:
    if expand is not None and not may_expand:
        raise NodeError(
            f"{class_type} returned a graph in its own place; its Schema must say enable_expand=True for that"
        )
