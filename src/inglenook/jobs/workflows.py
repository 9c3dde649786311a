"""What the workflow library asks of the database: functions for `JobStore.write` and `JobStore.read`.

A workflow belongs to a user and has versions; the newest is the one that is meant. Versions are never changed, the
oldest go when there are too many.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from inglenook.jobs.codec import pack, unpack
from inglenook.jobs.workflow_records import (
    LibraryFull,
    NewVersion,
    Saved,
    VersionMoved,
    VersionRecord,
    WorkflowNameTaken,
    WorkflowNotStored,
    WorkflowRecord,
)
from inglenook.jobs.workflow_tables import workflow_thumbnails, workflow_versions, workflows

MOST_WORKFLOWS = 10_000
"""Of one user."""
_MOST_RUNS = 10
"""Runs that are remembered of a workflow."""


_newest = (workflow_versions.c.workflow_id == workflows.c.id) & (workflow_versions.c.version == workflows.c.version)
_records = select(workflows, workflow_versions.c.format, workflow_versions.c.size_bytes).join(
    workflow_versions, _newest
)


def _record(row: Row[Any]) -> WorkflowRecord:
    return WorkflowRecord(
        id=row.id,
        owner=row.owner,
        name=row.name,
        version=row.version,
        format=row.format,
        size_bytes=row.size_bytes,
        description=row.description,
        tags=tuple(json.loads(row.tags)),
        created_ms=row.created_ms,
        updated_ms=row.updated_ms,
        runs=tuple(json.loads(row.runs)),
    )


# Questions


def find(connection: Connection, owner: str, name: str) -> WorkflowRecord | None:
    """The workflow of that name."""
    row = connection.execute(_records.where(workflows.c.owner == owner, workflows.c.name == name)).one_or_none()
    return None if row is None else _record(row)


def list_all(connection: Connection, owner: str) -> list[WorkflowRecord]:
    """All workflows of a user; MOST_WORKFLOWS at most."""
    return [_record(row) for row in connection.execute(_records.where(workflows.c.owner == owner))]


def read_document(connection: Connection, workflow_id: str, version: int) -> tuple[str, bytes] | None:
    """Format and JSON of a version; None where there is none (any more)."""
    row = connection.execute(
        select(workflow_versions.c.format, workflow_versions.c.document).where(
            workflow_versions.c.workflow_id == workflow_id, workflow_versions.c.version == version
        )
    ).one_or_none()
    return None if row is None else (row.format, unpack(row.document))


def list_versions(connection: Connection, workflow_id: str) -> list[VersionRecord]:
    """The versions that are kept, the newest first."""
    found = (
        select(
            workflow_versions.c.version,
            workflow_versions.c.format,
            workflow_versions.c.size_bytes,
            workflow_versions.c.created_ms,
            workflow_versions.c.origin,
        )
        .where(workflow_versions.c.workflow_id == workflow_id)
        .order_by(workflow_versions.c.version.desc())
    )
    return [VersionRecord(*row) for row in connection.execute(found)]


def read_thumbnail(connection: Connection, workflow_id: str) -> tuple[str, bytes] | None:
    """Id of the job that the kept thumbnail shows, and its WebP file."""
    row = connection.execute(
        select(workflow_thumbnails.c.job_id, workflow_thumbnails.c.image).where(
            workflow_thumbnails.c.workflow_id == workflow_id
        )
    ).one_or_none()
    return None if row is None else (row.job_id, bytes(row.image))


# Changes


def save_all(
    connection: Connection, owner: str, news: Sequence[NewVersion], now_ms: int, *, keep: int, overwrite: bool = True
) -> list[Saved]:
    """Store documents as the newest versions under their names, all of them or none; the last `keep` versions stay.

    Raises WorkflowNameTaken, unless `overwrite`, for a name that is there; LibraryFull.
    """
    return [_save(connection, owner, new, now_ms, keep, overwrite) for new in news]


def _save(connection: Connection, owner: str, new: NewVersion, now_ms: int, keep: int, overwrite: bool) -> Saved:
    found = find(connection, owner, new.name)
    if found is None:
        return Saved(_create(connection, owner, new, now_ms), is_new=True, is_changed=True)
    if not overwrite:
        raise WorkflowNameTaken(new.name)
    if new.base is not None and new.base != found.version:
        raise VersionMoved(f"{new.name} has got version {found.version}")
    digest = connection.scalar(
        select(workflow_versions.c.digest).where(
            workflow_versions.c.workflow_id == found.id, workflow_versions.c.version == found.version
        )
    )
    is_changed = digest != _digest(new.document)
    version = found.version + is_changed
    changes = {
        "version": version,
        "updated_ms": now_ms,
        "tags": json.dumps(list(found.tags if new.tags is None else new.tags)),
        "description": found.description if new.description is None else new.description,
    }
    if is_changed:
        _insert_version(connection, found.id, version, new, now_ms)
        connection.execute(
            delete(workflow_versions).where(
                workflow_versions.c.workflow_id == found.id, workflow_versions.c.version <= version - keep
            )
        )
    connection.execute(update(workflows).where(workflows.c.id == found.id).values(changes))
    return Saved(_known(connection, owner, new.name), is_new=False, is_changed=is_changed)


def _create(connection: Connection, owner: str, new: NewVersion, now_ms: int) -> WorkflowRecord:
    count = connection.scalar(select(func.count()).select_from(workflows).where(workflows.c.owner == owner)) or 0
    if count >= MOST_WORKFLOWS:
        raise LibraryFull(f"the library has {count} workflows")
    workflow_id = uuid.uuid4().hex
    connection.execute(
        insert(workflows),
        {
            "id": workflow_id,
            "owner": owner,
            "name": new.name,
            "version": 1,
            "description": new.description or "",
            "tags": json.dumps(list(new.tags or ())),
            "created_ms": now_ms,
            "updated_ms": now_ms,
            "runs": "[]",
        },
    )
    _insert_version(connection, workflow_id, 1, new, now_ms)
    return _known(connection, owner, new.name)


def _insert_version(connection: Connection, workflow_id: str, version: int, new: NewVersion, now_ms: int) -> None:
    connection.execute(
        insert(workflow_versions),
        {
            "workflow_id": workflow_id,
            "version": version,
            "format": new.format,
            "document": pack(new.document),
            "digest": _digest(new.document),
            "size_bytes": len(new.document),
            "created_ms": now_ms,
            "origin": new.origin,
        },
    )


def _digest(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()


def _known(connection: Connection, owner: str, name: str) -> WorkflowRecord:
    found = find(connection, owner, name)
    if found is None:
        raise WorkflowNotStored(name)
    return found


def describe(
    connection: Connection,
    owner: str,
    name: str,
    now_ms: int,
    *,
    new_name: str | None = None,
    tags: Sequence[str] | None = None,
    description: str | None = None,
) -> WorkflowRecord:
    """Change what is said about a workflow, without a new version. Raises WorkflowNotStored, WorkflowNameTaken."""
    found = _known(connection, owner, name)
    changes: dict[str, Any] = {"updated_ms": now_ms}
    if new_name is not None and new_name != name:
        if find(connection, owner, new_name) is not None:
            raise WorkflowNameTaken(new_name)
        changes["name"] = new_name
    if tags is not None:
        changes["tags"] = json.dumps(list(tags))
    if description is not None:
        changes["description"] = description
    connection.execute(update(workflows).where(workflows.c.id == found.id).values(changes))
    return _known(connection, owner, changes.get("name", name))


def change(
    connection: Connection,
    owner: str,
    name: str,
    now_ms: int,
    new: NewVersion | None,
    *,
    keep: int,
    new_name: str | None = None,
    tags: Sequence[str] | None = None,
    description: str | None = None,
) -> Saved:
    """Change what is said about a workflow and store a new version, if there is one, or neither.

    Raises WorkflowNotStored, WorkflowNameTaken, VersionMoved.
    """
    record = describe(connection, owner, name, now_ms, new_name=new_name, tags=tags, description=description)
    if new is None:
        return Saved(record, is_new=False, is_changed=False)
    return _save(connection, owner, replace(new, name=record.name), now_ms, keep, overwrite=True)


def remove(connection: Connection, owner: str, name: str) -> None:
    """Remove a workflow with all its versions. Raises WorkflowNotStored."""
    found = _known(connection, owner, name)
    for table in (workflow_thumbnails, workflow_versions):
        connection.execute(delete(table).where(table.c.workflow_id == found.id))
    connection.execute(delete(workflows).where(workflows.c.id == found.id))


def note_run(connection: Connection, workflow_id: str, job_id: str) -> None:
    """Remember a run; of a workflow that is gone there is nothing to remember."""
    runs = connection.scalar(select(workflows.c.runs).where(workflows.c.id == workflow_id))
    if runs is not None:
        known = [job_id, *(one for one in json.loads(runs) if one != job_id)]
        changed = update(workflows).where(workflows.c.id == workflow_id)
        connection.execute(changed.values(runs=json.dumps(known[:_MOST_RUNS])))


def keep_thumbnail(connection: Connection, workflow_id: str, job_id: str, image: bytes) -> None:
    """Keep the WebP file of a run's first picture, unless the workflow is gone."""
    if connection.scalar(select(workflows.c.id).where(workflows.c.id == workflow_id)) is None:
        return
    connection.execute(delete(workflow_thumbnails).where(workflow_thumbnails.c.workflow_id == workflow_id))
    connection.execute(insert(workflow_thumbnails), {"workflow_id": workflow_id, "job_id": job_id, "image": image})
