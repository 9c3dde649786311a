"""Workflows of any format become API-format graphs; pure functions over the node catalog."""

from inglenook.workflows.convert import Converted, is_ui_format, to_graph
from inglenook.workflows.documents import is_bare_graph, is_text_of_workflow, read_file, unwrap
from inglenook.workflows.errors import WorkflowFormatError
from inglenook.workflows.missing import MissingClass, find_missing
from inglenook.workflows.normalize import Normalized, needed_classes, normalize
from inglenook.workflows.repairs import Repair

__all__ = [
    "Converted",
    "MissingClass",
    "Normalized",
    "Repair",
    "WorkflowFormatError",
    "find_missing",
    "is_bare_graph",
    "is_text_of_workflow",
    "is_ui_format",
    "needed_classes",
    "normalize",
    "read_file",
    "to_graph",
    "unwrap",
]
