"""What can go wrong with the job store; leaves of `inglenook.errors.JobError`.

JobError
|- JobRejected            one job that cannot be stored; the others of its batch are
`- JobStoreError          the store as a whole
   |- JobStoreClosed
   |- JobStoreFull        no room on the disk: nothing was written, try again when there is
   |- JobStoreUnusable    not a database, damaged, written by something else or by a newer inglenook
   `- DataFolderLocked    another server uses the folder
"""

from __future__ import annotations

from pathlib import Path

from inglenook.errors import JobError


class JobRejected(JobError):
    """A job with a value that the database cannot hold."""

    def __init__(self, job_id: str, reason: str) -> None:
        super().__init__(f"job {job_id!r} cannot be stored: {reason}")
        self.job_id = job_id
        self.reason = reason


class JobStoreError(JobError):
    """The job store cannot work; the message names the database and what to do."""


class JobStoreClosed(JobStoreError):
    """The store is not open (any more)."""

    def __init__(self) -> None:
        super().__init__("the job store is closed")


class JobStoreFull(JobStoreError):
    """The disk has no room for the write; nothing of it was stored."""

    def __init__(self, database: str) -> None:
        super().__init__(f"no room to store jobs in {database}: free some space on that disk, then try again")
        self.database = database


class JobStoreUnusable(JobStoreError):
    """A database that cannot be opened or read as what it should be."""

    def __init__(self, database: str, reason: str) -> None:
        super().__init__(f"cannot use the job database {database}: {reason}")
        self.database = database
        self.reason = reason


class DataFolderLocked(JobStoreError):
    """A second server on the same data folder."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        owner = "another server" if pid is None else f"another server (process {pid})"
        super().__init__(f"{owner} uses the data folder {folder}: stop it, or give this one its own --data-dir")
        self.folder = folder
        self.pid = pid
