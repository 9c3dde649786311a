"""A typed client of the ComfyUI API, for asyncio (`AsyncClient`) and for everything else (`Client`).

with Client("http://127.0.0.1:8188") as client:
    outputs = client.run(graph)
    for file in outputs.files:
        client.save(file, Path("pictures"))
"""

from inglenook.client import errors, events
from inglenook.client._async.client import AsyncClient
from inglenook.client._sync.client import Client
from inglenook.client.errors import (
    ClientError,
    ConnectionFailed,
    JobEnded,
    JobFailed,
    JobInterrupted,
    JobLost,
    PromptRejected,
    StatusError,
)
from inglenook.client.events import Event
from inglenook.client.limits import Limits
from inglenook.client.types import (
    Graph,
    HistoryEntry,
    OutputFile,
    Outputs,
    Queue,
    QueueEntry,
    StreamedImage,
    Submission,
    UploadedFile,
)

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "ConnectionFailed",
    "Event",
    "Graph",
    "HistoryEntry",
    "JobEnded",
    "JobFailed",
    "JobInterrupted",
    "JobLost",
    "Limits",
    "OutputFile",
    "Outputs",
    "PromptRejected",
    "Queue",
    "QueueEntry",
    "StatusError",
    "StreamedImage",
    "Submission",
    "UploadedFile",
    "errors",
    "events",
]
