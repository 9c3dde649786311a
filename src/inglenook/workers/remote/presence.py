"""Whether a server is still there: one that is gone, frozen or restarted says nothing, so that silence is noticed."""

from __future__ import annotations

import asyncio

import httpx

from inglenook.workers.remote.limits import RemoteLimits


class Presence:
    """When one server gave a sign of life. To be used on the event loop."""

    def __init__(self, limits: RemoteLimits) -> None:
        self._limits = limits
        self._heard_at = 0.0
        self._refused_since: float | None = None

    def heard(self) -> None:
        """The server gave a sign of life."""
        self._heard_at = asyncio.get_running_loop().time()
        self._refused_since = None

    @property
    def silent_s(self) -> float:
        """For how long it has said nothing."""
        return asyncio.get_running_loop().time() - self._heard_at

    def missed(self, error: Exception) -> str | None:
        """It did not answer; why it is lost, None while it may still be there."""
        now, silent_s = asyncio.get_running_loop().time(), self.silent_s
        if isinstance(error.__cause__, httpx.ConnectError):
            self._refused_since = self._refused_since or now
        is_refused = self._refused_since is not None and now - self._refused_since >= self._limits.refused_after_s
        if not is_refused and silent_s < self._limits.lost_after_s:
            return None
        self._refused_since = None
        return f"no answer for {silent_s:.0f} s" + (f" ({error})" if str(error) else "")
