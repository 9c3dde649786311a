"""What a document can be instead of a workflow."""

from __future__ import annotations

from inglenook.errors import WorkflowError


class WorkflowFormatError(WorkflowError, ValueError):
    """A document of no known format, or a UI-format workflow that has no API form."""
