"""How long a server is waited for, and how much of what it says is taken in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RemoteLimits:
    """Of one remote server."""

    check_interval_s: float = 4.0
    """How often it is asked whether it is there."""
    lost_after_s: float = 13.0
    """A server that has said nothing for so long is lost, and its jobs go elsewhere."""
    refused_after_s: float = 3.0
    """The same where nobody listens any more: its process is gone."""
    request_s: float = 60.0
    """Longest answer to one request, from its beginning to its end."""
    catalog_s: float = 120.0
    """The same for `/object_info`, which some servers make slowly."""
    catalog_interval_s: float = 30.0
    interrupt_grace_s: float = 30.0
    answer_bytes: int = 64 << 20
    message_bytes: int = 64 << 20
    waiting_messages: int = 2
    file_bytes: int = 8 << 30
    """Largest file that a job may make."""
    job_files: int = 10_000
    job_output_bytes: int = 64 << 20
    """What the nodes of a job may show, beside files."""
    transfer_s: float = 3600.0
    """Longest time for one file."""
