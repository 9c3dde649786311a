"""Why an attempt at a job on a remote server came to nothing.

AttemptLost      the server is to blame: another one, or the same one later, may do it
JobRefused       the server does not take the graph
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inglenook.errors import WorkerError


class AttemptLost(WorkerError):
    """The server did not bring the job to an end that can be believed."""


class JobRefused(WorkerError):
    """The server found faults in the graph; `node_errors` as in the answer to `POST /prompt`."""

    def __init__(self, message: str, node_errors: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.node_errors = node_errors
