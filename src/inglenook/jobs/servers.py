"""What the pool asks of the database: functions for `JobStore.write` and `JobStore.read`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, update

from inglenook.jobs.server_tables import servers
from inglenook.jobs.tables import counters

_DRAINED = "drained:"
"""Begin of the names of counters."""


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """A server that was added as a worker. Times are milliseconds since the epoch."""

    name: str
    url: str
    api_key: str | None = field(repr=False)
    slots: int | None
    is_draining: bool
    created_ms: int


def list_servers(connection: Connection) -> Sequence[ServerRecord]:
    """All of them, oldest first."""
    rows = connection.execute(select(servers).order_by(servers.c.created_ms, servers.c.name))
    return [
        ServerRecord(row.name, row.url, row.api_key, row.slots, bool(row.is_draining), row.created_ms) for row in rows
    ]


def add_server(connection: Connection, server: ServerRecord) -> None:
    """Remember a server, in place of one of the same name."""
    connection.execute(delete(servers).where(servers.c.name == server.name))
    connection.execute(
        insert(servers),
        {
            "name": server.name,
            "url": server.url,
            "api_key": server.api_key,
            "slots": server.slots,
            "is_draining": int(server.is_draining),
            "created_ms": server.created_ms,
        },
    )


def set_draining(connection: Connection, name: str, is_draining: bool) -> None:
    connection.execute(update(servers).where(servers.c.name == name).values(is_draining=int(is_draining)))


def is_kept_drained(connection: Connection, place: str) -> bool:
    """Whether a worker that has no row here gets no jobs. place: its URL, or its name on this machine."""
    return connection.scalar(select(counters.c.value).where(counters.c.name == _DRAINED + place)) is not None


def keep_drained(connection: Connection, place: str, is_drained: bool) -> None:
    """Remember it."""
    connection.execute(delete(counters).where(counters.c.name == _DRAINED + place))
    if is_drained:
        connection.execute(insert(counters), {"name": _DRAINED + place, "value": 1})


def remove_server(connection: Connection, name: str) -> None:
    connection.execute(delete(servers).where(servers.c.name == name))
