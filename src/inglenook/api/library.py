"""The workflow library: what users have stored, with the samples that ship with the package beside it.

A workflow is stored as it was sent, in the format that it has; its graph and its parameters are made when they are
asked for, with the node classes and models that are there then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson

from inglenook.api.errors import ApiError
from inglenook.api.library_entries import (
    ListedWorkflow,
    OpenedWorkflow,
    StoredWorkflow,
    Upload,
    entry_of,
    entry_of_sample,
)
from inglenook.api.normalizing import normalized, unwrapped
from inglenook.api.workflow_files import parse_document
from inglenook.dispatch.catalogs import Catalogs
from inglenook.engine.values import shorten
from inglenook.jobs import JobStore, now_ms, workflows
from inglenook.jobs.workflow_records import (
    LibraryFull,
    NewVersion,
    Saved,
    VersionRecord,
    WorkflowNameTaken,
    WorkflowNotStored,
)
from inglenook.settings import Settings
from inglenook.workflows import is_ui_format
from inglenook.workflows.names import WorkflowNameError, workflow_name
from inglenook.workflows.parameters import recognise
from inglenook.workflows.samples import load_samples

logger = logging.getLogger(__name__)

LARGEST_DOCUMENT = 32 << 20
"""Bytes of JSON."""
_LARGEST_VERSION = 2**31 - 1


@contextmanager
def telling_which(name: str, *, of_several: bool) -> Iterator[None]:
    """Have an ApiError say which of several files it is about."""
    try:
        yield
    except ApiError as error:
        if of_several:
            error.message = f"{shorten(name or 'a file without a name', 100)}: {error.message}"
        raise


class WorkflowLibrary:
    """Stores workflows and finds them, for each user apart. Raises ApiError."""

    def __init__(self, store: JobStore, catalogs: Catalogs, settings: Settings) -> None:
        self._store = store
        self._catalogs = catalogs
        self._settings = settings
        self.revision = 0
        """Grows with every change."""

    # What is there

    async def list_all(self, user: str) -> list[ListedWorkflow]:
        """The workflows of a user, and the samples whose names they have not taken."""
        own = {record.name: entry_of(record) for record in await self._store.read(workflows.list_all, user)}
        samples = (entry_of_sample(sample) for name, sample in load_samples().items() if name not in own)
        return [*own.values(), *samples]

    async def find(self, user: str, name: str) -> ListedWorkflow:
        """The workflow of that name, with or without `.json`. Raises ApiError 404."""
        try:
            whole = workflow_name(name)
        except WorkflowNameError:
            raise _unknown(name) from None
        record = await self._store.read(workflows.find, user, whole)
        if record is not None:
            return entry_of(record)
        sample = load_samples().get(whole)
        if sample is None:
            raise _unknown(name)
        return entry_of_sample(sample)

    async def get(self, user: str, name: str, version: int | None = None) -> StoredWorkflow:
        """A version of a workflow, the newest without a number. Raises ApiError 404."""
        listed = await self.find(user, name)
        number = listed.version if version is None else version
        if listed.id is None:
            found = (listed.format, load_samples()[listed.name].document) if number == 1 else None
        elif 0 < number <= _LARGEST_VERSION:
            found = await self._store.read(workflows.read_document, listed.id, number)
        else:
            found = None
        if found is None:
            raise ApiError(404, "version_not_found", f"{listed.name} has no version {number}", str(number))
        return StoredWorkflow(listed, number, *found)

    async def versions(self, user: str, name: str) -> tuple[ListedWorkflow, list[VersionRecord]]:
        """A workflow and its versions, the newest first. Raises ApiError 404."""
        listed = await self.find(user, name)
        if listed.id is None:
            return listed, [VersionRecord(1, listed.format, listed.size_bytes, 0, "sample")]
        return listed, await self._store.read(workflows.list_versions, listed.id)

    async def opened(self, stored: StoredWorkflow) -> OpenedWorkflow:
        """Graph and parameters of a stored workflow. Raises ApiError 400 for one that cannot be read any more."""
        document = await asyncio.to_thread(parse_document, stored.document, self._settings.max_json_depth)
        return await self.opened_document(stored, document)

    async def opened_document(self, stored: StoredWorkflow, document: dict[str, Any]) -> OpenedWorkflow:
        """The same of a document that is to take the place of the stored one. Raises ApiError 400."""
        found = await normalized(self._settings, self._catalogs, document)
        catalog = self._catalogs.current
        parameters = await asyncio.to_thread(recognise, found.graph, catalog)
        return OpenedWorkflow(stored, document, found, parameters, catalog)

    # Changes

    async def save_all(
        self, user: str, uploads: Sequence[Upload], *, origin: str = "upload", overwrite: bool = True
    ) -> list[Saved]:
        """Store workflows as the newest versions under their names, all of them or none.

        Raises ApiError 400 for what is no workflow, 409 for a name that is there unless `overwrite`, 413, 422 for a
        name that is none.
        """
        news = []
        for upload in uploads:
            with telling_which(upload.name, of_several=len(uploads) > 1):
                news.append(await self._new_version(upload, origin))
        names = [new.name for new in news]
        if len({*names}) < len(names):
            raise ApiError(422, "invalid_name", "Two of the workflows have the same name", ", ".join(names)[:500])
        saved: list[Saved] = await self._write(
            workflows.save_all, user, news, now_ms(), keep=self._settings.workflow_versions_limit, overwrite=overwrite
        )
        return saved

    async def _new_version(self, upload: Upload, origin: str) -> NewVersion:
        name = checked_name(upload.name)
        document = await unwrapped(self._settings, upload.body)
        await normalized(self._settings, self._catalogs, document)
        data = await asyncio.to_thread(encoded, document)
        return NewVersion(name, data, format_of(document), origin, upload.tags, upload.description)

    async def store_document(
        self, user: str, name: str, document: bytes, kind: str, origin: str, *, like: ListedWorkflow | None = None
    ) -> Saved:
        """Store a document that is in the library already: under its own name, or as a copy `like` another.

        Raises ApiError 409 for a copy under a name that is there, 422.
        """
        tags, description = (None, None) if like is None else (like.tags, like.description)
        new = NewVersion(checked_name(name), document, kind, origin, tags, description)
        saved: list[Saved] = await self._write(
            workflows.save_all,
            user,
            [new],
            now_ms(),
            keep=self._settings.workflow_versions_limit,
            overwrite=like is None,
        )
        return saved[0]

    async def change(
        self,
        user: str,
        listed: ListedWorkflow,
        new: NewVersion | None = None,
        *,
        new_name: str | None = None,
        tags: Sequence[str] | None = None,
        description: str | None = None,
    ) -> Saved:
        """Change name, tags, description and document, all or none.

        Raises ApiError 404, 409 (a sample, a name that is taken), 422; VersionMoved.
        """
        refuse_sample(listed)
        found: Saved = await self._write(
            workflows.change,
            user,
            listed.name,
            now_ms(),
            new,
            keep=self._settings.workflow_versions_limit,
            new_name=None if new_name is None else checked_name(new_name),
            tags=tags,
            description=description,
        )
        return found

    async def remove(self, user: str, name: str) -> None:
        """Remove a workflow with all its versions. Raises ApiError 404, 409 (a sample)."""
        listed = await self.find(user, name)
        refuse_sample(listed)
        await self._write(workflows.remove, user, listed.name)

    async def _write(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """What the function returns in the writer's thread. Raises ApiError for what the database refuses."""
        try:
            result = await self._store.write(function, *arguments, **named)
        except WorkflowNameTaken as error:
            raise ApiError(409, "workflow_exists", "There is a workflow of this name", str(error)[:200]) from None
        except WorkflowNotStored as error:
            raise _unknown(str(error)) from None
        except LibraryFull as error:
            raise ApiError(409, "library_full", "No more workflows can be stored", str(error)) from None
        self.revision += 1
        return result

    # Runs

    async def note_run(self, listed: ListedWorkflow, job_id: str) -> None:
        """Remember that a workflow was run. It does not wait for the disk: the end of the run is written after it."""
        if listed.id is not None:
            self._store.write(workflows.note_run, listed.id, job_id).add_done_callback(_log_failure)

    async def thumbnail(self, listed: ListedWorkflow) -> tuple[str, bytes] | None:
        """The kept thumbnail with the id of its job."""
        return None if listed.id is None else await self._store.read(workflows.read_thumbnail, listed.id)

    async def keep_thumbnail(self, listed: ListedWorkflow, job_id: str, image: bytes) -> None:
        """Keep the thumbnail of a run."""
        if listed.id is not None:
            await self._store.write(workflows.keep_thumbnail, listed.id, job_id, image)


def format_of(document: Any) -> str:
    """`ui` or `api`."""
    return "ui" if is_ui_format(document) else "api"


def encoded(document: Any) -> bytes:
    """A document as it is stored. Raises ApiError 413."""
    data = orjson.dumps(document)
    if len(data) > LARGEST_DOCUMENT:
        raise ApiError(413, "too_large", f"The workflow has {len(data)} bytes, at most {LARGEST_DOCUMENT} are kept")
    return data


def checked_name(text: str) -> str:
    """The name that a workflow is stored under. Raises ApiError 422."""
    try:
        return workflow_name(text)
    except WorkflowNameError as error:
        raise ApiError(422, "invalid_name", "This is no name for a workflow", str(error)) from None


def refuse_sample(listed: ListedWorkflow) -> None:
    """Raises ApiError 409 for a sample."""
    if listed.is_sample:
        hint = f"Copy it first: POST /api/workflow/{listed.name}/copy"
        raise ApiError(409, "read_only", f"{listed.name} is a sample and cannot be changed", hint)


def _log_failure(done: asyncio.Future[None]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        logger.warning("a run of a stored workflow was not noted: %s", error)


def _unknown(name: str) -> ApiError:
    return ApiError(404, "workflow_not_found", "There is no stored workflow of this name", name[:200])
