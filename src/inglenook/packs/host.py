"""What the code of node packs can reach of the process that it runs in: messages out, interruption, the loop of routes.

The device process sets the one host at its start; without one (a test, a script) messages go nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inglenook.settings import Settings


def _nothing(*_: Any, **__: Any) -> None:
    pass


@dataclass(slots=True)
class Host:
    """The services of the device process for packs; its fields are set once, except those of the current run."""

    base: Path = field(default_factory=Path.cwd)
    """The base folder: where packs look for `models`, `input`, `custom_nodes`."""
    send: Callable[[str, Any, str | None], None] = _nothing
    """(event, data, client id or None for everybody): a message to sockets, in order with the events of the run."""
    interrupt: Callable[[], None] = _nothing
    """Stop the job that runs now."""
    free: Callable[..., None] = _nothing
    """`free(unload_models=..., free_memory=...)`: give memory back after the current run."""
    loop: asyncio.AbstractEventLoop | None = None
    """The event loop, in a thread of its own, that serves the routes of packs and asks their validators."""
    client_id: str | None = None
    """Who submitted the job that runs now."""
    job_id: str | None = None
    """The job that runs now."""
    settings: Settings | None = None
    """The server's, for `comfy.cli_args`."""


_host = Host()


def host() -> Host:
    """The host of this process."""
    return _host


def set_host(new: Host) -> None:
    """Make `new` the host of this process."""
    global _host
    _host = new
