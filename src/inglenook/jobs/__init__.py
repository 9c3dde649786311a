"""The durable job store: accepts, hands out and finishes jobs, and remembers them."""

from inglenook.jobs.codec import from_json, to_json
from inglenook.jobs.database import sqlite_url
from inglenook.jobs.errors import (
    DataFolderLocked,
    JobRejected,
    JobStoreClosed,
    JobStoreError,
    JobStoreFull,
    JobStoreUnusable,
)
from inglenook.jobs.job import (
    Added,
    AddOutcome,
    Conflict,
    DeathCount,
    EncodedRun,
    Existing,
    FinishedJob,
    Job,
    JobFilter,
    JobId,
    JobPage,
    JobResult,
    ListedJob,
    Listing,
    MeasuredRun,
    OutputFile,
    Page,
    State,
)
from inglenook.jobs.lock import DataFolderLock
from inglenook.jobs.rows import extra_json
from inglenook.jobs.store import JobStore, now_ms

__all__ = [
    "AddOutcome",
    "Added",
    "Conflict",
    "DataFolderLock",
    "DataFolderLocked",
    "DeathCount",
    "EncodedRun",
    "Existing",
    "FinishedJob",
    "Job",
    "JobFilter",
    "JobId",
    "JobPage",
    "JobRejected",
    "JobResult",
    "JobStore",
    "JobStoreClosed",
    "JobStoreError",
    "JobStoreFull",
    "JobStoreUnusable",
    "ListedJob",
    "Listing",
    "MeasuredRun",
    "OutputFile",
    "Page",
    "State",
    "extra_json",
    "from_json",
    "now_ms",
    "sqlite_url",
    "to_json",
]
