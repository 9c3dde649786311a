"""What the store can be asked about deliveries; run by the reader threads."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from inglenook.jobs.codec import unpack
from inglenook.jobs.job import JobId
from inglenook.jobs.webhook_tables import webhook_deliveries
from inglenook.jobs.webhooks import Delivery, DeliveryFilter, DeliveryPage, DeliveryState

_table = webhook_deliveries.c


def due_deliveries(
    connection: Connection, now_ms: int, limit: int, without: Collection[int], without_origins: Collection[str]
) -> list[Delivery]:
    """Deliveries whose time has come, the longest due first; without those under way and those of busy receivers."""
    query = select(webhook_deliveries).where(_table.next_ms <= now_ms)
    if without:
        query = query.where(_table.sequence.not_in(without))
    if without_origins:
        query = query.where(_table.origin.not_in(without_origins))
    return [_delivery(row) for row in connection.execute(query.order_by(_table.next_ms, _table.sequence).limit(limit))]


def next_due_ms(connection: Connection, after_ms: int) -> int | None:
    """When the next delivery is due that is not yet."""
    found: int | None = connection.scalar(select(func.min(_table.next_ms)).where(_table.next_ms > after_ms))
    return found


def get_delivery(connection: Connection, delivery_id: str, user: str | None) -> Delivery | None:
    query = select(webhook_deliveries).where(_table.id == delivery_id)
    if user is not None:
        query = query.where(_table.user_id == user)
    row = connection.execute(query).one_or_none()
    return None if row is None else _delivery(row)


def list_deliveries(connection: Connection, wanted: DeliveryFilter, limit: int, offset: int) -> DeliveryPage:
    """Newest first."""
    conditions = _conditions(wanted)
    total = connection.scalar(select(func.count()).select_from(webhook_deliveries).where(*conditions)) or 0
    # The page is found in an index alone: rows carry what is sent, and most of them would be skipped.
    part = select(_table.sequence).where(*conditions).order_by(_table.sequence.desc()).limit(limit).offset(offset)
    query = select(webhook_deliveries).where(_table.sequence.in_(part)).order_by(_table.sequence.desc())
    return DeliveryPage(tuple(_delivery(row) for row in connection.execute(query)), total)


def count_deliveries(connection: Connection) -> dict[DeliveryState, int]:
    """How many deliveries are stored in each state."""
    counted = dict.fromkeys(DeliveryState, 0)
    for state, count in connection.execute(select(_table.state, func.count()).group_by(_table.state)):
        counted[DeliveryState(state)] = count
    return counted


def _conditions(wanted: DeliveryFilter) -> list[ColumnElement[bool]]:
    asked = (
        (_table.user_id, wanted.user),
        (_table.job_id, wanted.job_id),
        (_table.state, None if wanted.state is None else wanted.state.value),
        (_table.event, wanted.event),
    )
    return [column == value for column, value in asked if value is not None]


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        sequence=row.sequence,
        id=row.id,
        job_id=JobId(row.job_id),
        user=row.user_id,
        event=row.event,
        url=row.url,
        origin=row.origin,
        is_standing=bool(row.is_standing),
        secret=row.secret,
        body=unpack(row.body),
        state=DeliveryState(row.state),
        attempts=row.attempts,
        created_ms=row.created_ms,
        next_ms=row.next_ms,
        last_ms=row.last_ms,
        status_code=row.status_code,
        error=row.error,
    )
