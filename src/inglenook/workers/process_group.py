"""A child process that leads a session of its own, with what it starts: its end, awaited or forced."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

_PATIENCE_S = 2.0


class ProcessGroup:
    """Over a process that was started with `start_new_session`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._is_over = False
        self.pid = process.pid

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    def kill(self) -> None:
        """Kill the process; the others follow when its end is seen."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def ended(self) -> int:
        """The exit code, once the process has ended; what it started ends with it, unless that left its group."""
        code = await self._process.wait()
        if not self._is_over:  # once only: the number of the group may be another's later
            self._is_over = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        return code

    async def end(self) -> int:
        """The exit code of a process that is about to end, by force if it does not."""
        try:
            return await asyncio.wait_for(self.ended(), _PATIENCE_S)
        except TimeoutError:
            self.kill()
            return await self.ended()
