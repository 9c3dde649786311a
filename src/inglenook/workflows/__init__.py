"""Workflows of any format become API-format graphs; pure functions over the node catalog."""

from inglenook.workflows.convert import Converted, OldWidgets, is_ui_format, to_graph
from inglenook.workflows.documents import (
    as_utf8,
    is_bare_graph,
    is_text_of_workflow,
    read_file,
    unwrap,
    without_constants,
)
from inglenook.workflows.errors import WorkflowFormatError
from inglenook.workflows.missing import MissingClass, find_missing
from inglenook.workflows.normalize import Normalized, needed_classes, normalize
from inglenook.workflows.parameter import Parameter, ParameterError
from inglenook.workflows.plain_prompt import fill_prompt
from inglenook.workflows.repair import repair, with_hints
from inglenook.workflows.repairs import Repair, Repaired
from inglenook.workflows.widget_edits import apply_widget_values

__all__ = [
    "Converted",
    "MissingClass",
    "Normalized",
    "OldWidgets",
    "Parameter",
    "ParameterError",
    "Repair",
    "Repaired",
    "WorkflowFormatError",
    "apply_widget_values",
    "as_utf8",
    "fill_prompt",
    "find_missing",
    "is_bare_graph",
    "is_text_of_workflow",
    "is_ui_format",
    "needed_classes",
    "normalize",
    "read_file",
    "repair",
    "to_graph",
    "unwrap",
    "with_hints",
    "without_constants",
]
