"""Makes the clients of one server, and what attempts need of it: anew each time that its worker is started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from inglenook.client import AsyncClient, Limits
from inglenook.client.blackening import Blackener
from inglenook.media.folders import Folders
from inglenook.workers.remote.attempt import Server
from inglenook.workers.remote.catalog import RemoteCatalog
from inglenook.workers.remote.inputs import InputFiles
from inglenook.workers.remote.journal import RemoteJournal
from inglenook.workers.remote.limits import RemoteLimits
from inglenook.workers.remote.outputs import FetchedFiles
from inglenook.workers.remote.sockets import Sockets

_NEVER_S = 1e9
"""How long a stream waits for a server that is away: the worker decides, not the stream."""


@dataclass(frozen=True, slots=True)
class Connector:
    """Where a server is, and with what it is spoken to."""

    url: str
    api_key: str | None = field(repr=False)
    folders: Folders
    journal: RemoteJournal | None
    limits: RemoteLimits
    blackener: Blackener

    def client(self, connect_attempts: int = 1) -> AsyncClient:
        """A client to be closed by the caller. Raises ValueError for an address that is none."""
        limits = self.limits
        return AsyncClient(
            self.url,
            api_key=self.api_key,
            timeout_s=limits.request_s,
            reconnect_s=_NEVER_S,
            limits=Limits(limits.answer_bytes, limits.message_bytes, limits.waiting_messages, connect_attempts),
        )

    def server(self, catalog: Callable[[], RemoteCatalog], heard: Callable[[], None]) -> Server:
        """With a client of its own. catalog and heard: see `Server`."""
        client, limits, blackener = self.client(connect_attempts=4), self.limits, self.blackener
        inputs = InputFiles(client, self.folders, limits)
        files = FetchedFiles(client, self.folders, limits, self.journal, blackener)
        return Server(client, Sockets(client), inputs, files, limits, catalog, heard, blackener)


async def close_server(server: Server) -> None:
    """Close what `Connector.server` opened."""
    await server.inputs.close()
    await server.sockets.close()
    await server.client.close()
