"""Stored workflows as plain data, and why the library refuses a change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inglenook.errors import InglenookError


class WorkflowNotStored(InglenookError):
    """The library has no such workflow or no such version of it."""


class WorkflowNameTaken(InglenookError):
    """The library has a workflow of that name already."""


class VersionMoved(InglenookError):
    """Somebody else has stored a version since the one that a change was made from."""


class LibraryFull(InglenookError):
    """One user has as many workflows as one may have."""


@dataclass(frozen=True, slots=True)
class WorkflowRecord:
    """A workflow without its documents. Times are milliseconds since the epoch."""

    id: str
    owner: str
    name: str
    version: int
    """The newest."""
    format: str
    """Of the newest version: `api` or `ui`."""
    size_bytes: int
    """Of the newest version."""
    description: str
    tags: tuple[str, ...]
    created_ms: int
    updated_ms: int
    runs: tuple[str, ...]
    """Ids of its last jobs, the newest first."""


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """A version without its document."""

    version: int
    format: str
    size_bytes: int
    created_ms: int
    origin: str


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What is to be stored under a name."""

    name: str
    document: bytes
    """JSON."""
    format: str
    origin: str
    tags: Sequence[str] | None = None
    """None leaves them."""
    description: str | None = None
    base: int | None = None
    """The version that it was made from, which must still be the newest."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of it."""

    record: WorkflowRecord
    is_new: bool
    """The workflow was not there before."""
    is_changed: bool
    """There is a new version: the document differs from the newest one."""
