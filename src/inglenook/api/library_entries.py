"""What the workflow library hands out and takes in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.jobs.workflow_records import WorkflowRecord
from inglenook.workflows import Normalized
from inglenook.workflows.parameter import Parameter
from inglenook.workflows.samples import Sample


@dataclass(frozen=True, slots=True)
class ListedWorkflow:
    """A workflow without its document. Times are milliseconds since the epoch, 0 for samples."""

    name: str
    version: int
    """The newest."""
    format: str
    """`api` or `ui`."""
    size_bytes: int
    description: str
    tags: tuple[str, ...]
    created_ms: int
    updated_ms: int
    id: str | None
    """None for a sample."""
    runs: tuple[str, ...] = ()
    """Ids of its last jobs, the newest first."""

    @property
    def is_sample(self) -> bool:
        return self.id is None


@dataclass(frozen=True, slots=True)
class StoredWorkflow:
    """One version of a workflow."""

    listed: ListedWorkflow
    version: int
    format: str
    document: bytes
    """JSON, as it was sent."""

    @property
    def name(self) -> str:
        return self.listed.name


@dataclass(frozen=True, slots=True)
class OpenedWorkflow:
    """A stored workflow as it would run now."""

    stored: StoredWorkflow
    document: dict[str, Any]
    normalized: Normalized
    parameters: list[Parameter]
    catalog: Catalog
    """What it was read with."""

    @property
    def graph(self) -> dict[str, Any]:
        return self.normalized.graph


@dataclass(frozen=True, slots=True)
class Upload:
    """A workflow that is to be stored."""

    name: str
    body: Any
    """A document, JSON text, or the bytes of a file."""
    tags: Sequence[str] | None = None
    description: str | None = None


def entry_of(record: WorkflowRecord) -> ListedWorkflow:
    """A workflow of a user."""
    return ListedWorkflow(
        name=record.name,
        version=record.version,
        format=record.format,
        size_bytes=record.size_bytes,
        description=record.description,
        tags=record.tags,
        created_ms=record.created_ms,
        updated_ms=record.updated_ms,
        id=record.id,
        runs=record.runs,
    )


def entry_of_sample(sample: Sample) -> ListedWorkflow:
    """A sample."""
    return ListedWorkflow(
        name=sample.name,
        version=1,
        format="api",
        size_bytes=len(sample.document),
        description=sample.description,
        tags=sample.tags,
        created_ms=0,
        updated_ms=0,
        id=None,
    )
