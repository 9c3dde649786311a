"""What a server has of us beside the jobs that run: some that nobody waits for any more, some of an earlier process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from inglenook.client import AsyncClient
from inglenook.workers.remote.adoption import LOOK_AGAIN_S, find
from inglenook.workers.remote.stopping import GivenUp, stop_all
from inglenook.workers.worker import Sent


class Leftovers:
    """Of one server."""

    def __init__(self) -> None:
        self.expected: dict[str, Sent] = {}
        """Job id -> attempt of an earlier process that it may have."""
        self._given_up: dict[str, GivenUp] = {}
        """Client id -> job that it may still have although nobody waits for it."""

    @property
    def given_up(self) -> int:
        """How many jobs are to be stopped there."""
        return len(self._given_up)

    def give_up(self, sent: Sent) -> None:
        """Nobody waits for this attempt any more: it is to be stopped there."""
        self._given_up[sent.client_id] = GivenUp(sent)

    def take_given_up(self) -> Mapping[str, GivenUp]:
        """All that is to be stopped, for the last time."""
        left, self._given_up = self._given_up, {}
        return left

    async def clear(self, client: AsyncClient) -> bool:
        """Stop what was given up; whether some of it is gone. Raises ClientError."""
        asked = dict(self._given_up)
        if not asked:
            return False
        left = await stop_all(client, asked)
        self._given_up = {key: job for key, job in (self._given_up | left).items() if key in left or key not in asked}
        return len(left) < len(asked)

    async def find_expected(self, client: AsyncClient, timeout_s: float) -> Mapping[str, Sent]:
        """Which attempts of an earlier process the server has. Raises ClientError, TimeoutError."""
        if not self.expected:
            return {}
        async with asyncio.timeout(timeout_s + LOOK_AGAIN_S):
            return await find(client, dict(self.expected))
