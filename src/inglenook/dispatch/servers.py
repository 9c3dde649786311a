"""Other servers as workers: those of the settings, and those that were added while the front runs."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from inglenook.dispatch.catalogs import LOCAL, Catalogs
from inglenook.dispatch.dispatcher import Dispatcher
from inglenook.dispatch.pool import NameTaken
from inglenook.errors import InglenookError
from inglenook.jobs import JobStore, now_ms
from inglenook.jobs.servers import (
    ServerRecord,
    add_server,
    is_kept_drained,
    keep_drained,
    list_servers,
    remove_server,
    set_draining,
)
from inglenook.server_address import ServerAddress
from inglenook.workers.worker import Worker

logger = logging.getLogger(__name__)

MOST_SERVERS = 1000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DRAIN_LOOK_S = 0.5

Source = Literal["local", "settings", "api"]
MakeWorker = Callable[[str, ServerAddress, int], Worker]
"""(name, address, how many jobs at a time) -> the worker."""


class WorkerUnknown(InglenookError):
    """There is no worker of this name."""


class WorkerStays(InglenookError):
    """The worker of this machine cannot be removed."""


class TooManyServers(InglenookError):
    """The pool has as many servers as it may have."""


@dataclass(slots=True)
class Server:
    """A worker of the pool, as people manage it."""

    name: str
    source: Source
    url: str | None = None
    slots: int = 1
    is_leaving: bool = False
    """It is removed as soon as its jobs have ended."""
    record: ServerRecord | None = field(default=None, repr=False)
    """What the database has of it, or had before it was to leave."""


class Servers:
    """Adds, drains and removes the workers of a dispatcher."""

    def __init__(
        self, store: JobStore, dispatcher: Dispatcher, catalogs: Catalogs, make_worker: MakeWorker, *, slots: int = 2
    ) -> None:
        """slots: jobs at a time of servers for which nothing else was said."""
        self._store = store
        self._dispatcher = dispatcher
        self._catalogs = catalogs
        self._make_worker = make_worker
        self._slots = slots
        self._changing = asyncio.Lock()
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self.known: dict[str, Server] = {
            worker.name: Server(worker.name, "local") for worker in dispatcher.workers if worker.name == LOCAL
        }

    async def open(self, addresses: Sequence[ServerAddress]) -> None:
        """Take in the servers of the settings, then those of the database; a URL that is there is not added again."""
        for address in addresses:
            if self._named(address.url) is None:
                await self._join(self._free_name(address.name), address, self._slots, "settings")
        for server in self.known.values():
            if await self._store.read(is_kept_drained, _place(server)):
                self._dispatcher.drain(server.name)
        for record in await self._store.read(list_servers):
            if self._named(record.url) is not None or record.name in self.known:
                logger.warning("server %s of the database is left out: its name or URL is taken", record.name)
                continue
            address = ServerAddress(record.url, record.api_key)
            server = await self._join(record.name, address, record.slots or self._slots, "api")
            server.record = record
            if record.is_draining:
                self._dispatcher.drain(record.name)
        self._dispatcher.all_added()

    async def close(self) -> None:
        for task in self._leaving.values():
            task.cancel()
        await asyncio.gather(*self._leaving.values(), return_exceptions=True)

    def list(self) -> Sequence[Server]:
        return list(self.known.values())

    def get(self, name: str) -> Server:
        """Raises WorkerUnknown."""
        try:
            return self.known[name]
        except KeyError:
            raise WorkerUnknown(f"there is no worker {name[:100]!r}") from None

    async def add(self, address: ServerAddress, *, name: str | None = None, slots: int | None = None) -> Server:
        """Give jobs to a server from now on, also after a restart. Raises NameTaken, TooManyServers, ValueError."""
        if name is not None and not _NAME.fullmatch(name):
            raise ValueError("a name has 1 to 100 letters, digits, dots, dashes and underscores")
        async with self._changing:
            if len(self.known) >= MOST_SERVERS:
                raise TooManyServers(f"the pool has {MOST_SERVERS} workers, more are not possible")
            if (known := self._named(address.url)) is not None:
                raise NameTaken(f"worker {known.name!r} is the server {address.url}")
            if name is not None and name in self.known:
                raise NameTaken(f"there is a worker {name!r} already")
            chosen = name or self._free_name(address.name)
            record = ServerRecord(chosen, address.url, address.api_key, slots, False, now_ms())
            server = await self._join(chosen, address, slots or self._slots, "api")
            try:
                await self._store.write(add_server, record)
            except Exception:
                await self._part(chosen)
                raise
            server.record = record
            return server

    async def drain(self, name: str, *, is_draining: bool) -> Server:
        """Give a worker no more jobs, or jobs again, also after a restart. Raises WorkerUnknown."""
        async with self._changing:
            server = self.get(name)
            if server.record is None:
                await self._store.write(keep_drained, _place(server), is_draining)
            elif server.is_leaving and not is_draining:  # it was forgotten when it was to leave
                await self._store.write(add_server, replace(server.record, is_draining=False))
            else:
                await self._store.write(set_draining, name, is_draining)
            if not is_draining and (task := self._leaving.pop(name, None)) is not None:
                task.cancel()
                server.is_leaving = False
            self._dispatcher.drain(name, is_draining=is_draining)
            return server

    async def remove(self, name: str, *, force: bool) -> bool:
        """Do without a server: once its jobs have ended, or at once (force), its jobs going to others.

        False while jobs end. Raises WorkerUnknown, WorkerStays.
        """
        async with self._changing:
            server = self.get(name)
            if server.source == "local":
                raise WorkerStays("the worker of this machine cannot be removed, only drained; see --no-local")
            await self._store.write(remove_server, name)
            self._dispatcher.drain(name)
            if force or not self._dispatcher.runs_of(name):
                await self._part(name)
                return True
            server.is_leaving = True
            if name not in self._leaving:
                self._leaving[name] = asyncio.create_task(self._leave(name))
            return False

    async def _leave(self, name: str) -> None:
        while self._dispatcher.runs_of(name):  # noqa: ASYNC110 - jobs end in many ways
            await asyncio.sleep(_DRAIN_LOOK_S)
        async with self._changing:
            self._leaving.pop(name, None)
            await self._part(name)

    async def _join(self, name: str, address: ServerAddress, slots: int, source: Source) -> Server:
        worker = self._make_worker(name, address, slots)
        self._catalogs.expect(name)
        await self._dispatcher.add_worker(worker)
        server = self.known[name] = Server(name, source, address.url, slots)
        logger.info("worker %s is %s", name, address.url, extra={"worker": name})
        return server

    async def _part(self, name: str) -> None:
        if (task := self._leaving.pop(name, None)) is not None:
            task.cancel()
        self.known.pop(name, None)
        await self._dispatcher.remove_worker(name)
        self._catalogs.forget(name)
        logger.info("worker %s was removed", name, extra={"worker": name})

    def _named(self, url: str) -> Server | None:
        return next((server for server in self.known.values() if server.url == url), None)

    def _free_name(self, wanted: str) -> str:
        names = (wanted if number == 1 else f"{wanted}-{number}" for number in range(1, MOST_SERVERS + 2))
        return next(name for name in names if name not in self.known)


def _place(server: Server) -> str:
    """How the database knows a worker that was not added here: names of servers are made anew at each start."""
    return server.url or server.name
