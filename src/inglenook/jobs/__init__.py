"""The durable job store: accepts, hands out and finishes jobs, and remembers them."""

from inglenook.jobs.codec import from_json, to_json
from inglenook.jobs.database import sqlite_url
from inglenook.jobs.deliveries import Outbox
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
    OutputFile,
    Page,
    State,
)
from inglenook.jobs.lock import DataFolderLock
from inglenook.jobs.rows import extra_json, result_files
from inglenook.jobs.store import JobStore, now_ms
from inglenook.jobs.webhooks import (
    ENDS,
    EVENTS,
    Attempt,
    Delivery,
    DeliveryFilter,
    DeliveryPage,
    DeliveryState,
    Webhook,
)

__all__ = [
    "ENDS",
    "EVENTS",
    "AddOutcome",
    "Added",
    "Attempt",
    "Conflict",
    "DataFolderLock",
    "DataFolderLocked",
    "DeathCount",
    "Delivery",
    "DeliveryFilter",
    "DeliveryPage",
    "DeliveryState",
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
    "Outbox",
    "OutputFile",
    "Page",
    "State",
    "Webhook",
    "extra_json",
    "from_json",
    "now_ms",
    "result_files",
    "sqlite_url",
    "to_json",
]
