"""What the library can be asked: functions from a connection to plain data, for the readers of the job store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, or_, select

from inglenook.assets.asset import Asset, AssetFilter, AssetPage, Cursor, Page, Place, Sort, TagCount
from inglenook.jobs.asset_tables import asset_tags, assets

_SORTED_BY: dict[Sort, ColumnElement[Any]] = {
    "created_at": assets.c.created_ms,
    "updated_at": assets.c.updated_ms,
    "name": assets.c.name,
    "size": assets.c.size,
    "last_access_time": assets.c.accessed_ms,
}


def get(connection: Connection, asset_id: str, user: str | None) -> Asset | None:
    """The asset of that id, if the user may see it."""
    conditions = [assets.c.id == asset_id, *_conditions(AssetFilter(user))]
    return next(iter(_assets(connection, connection.execute(select(assets).where(*conditions)))), None)


def page(connection: Connection, wanted: AssetFilter, part: Page) -> AssetPage:
    """A part of the assets that match."""
    conditions = _conditions(wanted)
    total = connection.scalar(select(func.count()).select_from(assets).where(*conditions)) or 0
    column = _SORTED_BY[part.sort]
    if part.after is not None:
        conditions.append(_behind(column, part.after, part.descending))
    order = [column.desc(), assets.c.id.desc()] if part.descending else [column, assets.c.id]
    # One more than asked for tells whether there is a next page.
    found = select(assets).where(*conditions).order_by(*order).limit(part.limit + 1).offset(part.offset)
    rows = connection.execute(found).all()
    shown = _assets(connection, rows[: part.limit])
    follows = len(rows) > part.limit
    return AssetPage(tuple(shown), total, _cursor(rows[part.limit - 1], column) if follows else None)


def _cursor(row: Row[Any], column: ColumnElement[Any]) -> Cursor:
    return Cursor(row._mapping[column], row.id)


def _behind(column: ColumnElement[Any], cursor: Cursor, descending: bool) -> ColumnElement[bool]:
    if descending:
        return or_(column < cursor.value, and_(column == cursor.value, assets.c.id < cursor.id))
    return or_(column > cursor.value, and_(column == cursor.value, assets.c.id > cursor.id))


def of_hash(connection: Connection, content_hash: str, user: str | None, at_most: int = 20) -> list[Asset]:
    """The assets with this content, those that stand for a file first."""
    conditions = _conditions(AssetFilter(user, hash=content_hash))
    found = select(assets).where(*conditions).order_by(assets.c.is_reference, assets.c.created_ms).limit(at_most)
    return _assets(connection, connection.execute(found))


def tag_counts(
    connection: Connection, wanted: AssetFilter, *, prefix: str = "", by_name: bool = False, limit: int, offset: int = 0
) -> tuple[list[TagCount], int]:
    """How many of the matching assets have each tag, and how many tags there are."""
    count = func.count().label("count")
    counted = (
        select(asset_tags.c.tag, count)
        .join(assets, assets.c.id == asset_tags.c.asset_id)
        .where(*_conditions(wanted), asset_tags.c.tag.startswith(prefix, autoescape=True))
        .group_by(asset_tags.c.tag)
    )
    total = connection.scalar(select(func.count()).select_from(counted.subquery())) or 0
    order = [asset_tags.c.tag] if by_name else [count.desc(), asset_tags.c.tag]
    rows = connection.execute(counted.order_by(*order).limit(limit).offset(offset))
    return [TagCount(tag, number) for tag, number in rows], total


def after(connection: Connection, root: str, last_id: str, limit: int, *, without_hash: bool = False) -> list[Asset]:
    """The assets of a folder behind an id, in the order of ids, hidden ones too."""
    found = select(assets).where(assets.c.root == root, assets.c.id > last_id).order_by(assets.c.id).limit(limit)
    if without_hash:
        found = found.where(assets.c.hash.is_(None), assets.c.is_reference.is_(False))
    return _assets(connection, connection.execute(found))


def _conditions(wanted: AssetFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [assets.c.hidden.is_(False)]
    if wanted.user is not None:
        conditions.append(assets.c.owner.in_(["", wanted.user]))
    if wanted.hash is not None:
        conditions.append(assets.c.hash == wanted.hash)
    if wanted.place is not None:
        conditions += [assets.c.root == wanted.place.root, assets.c.path == wanted.place.path]
    if wanted.name_contains:
        conditions.append(assets.c.name.icontains(wanted.name_contains, autoescape=True))
    conditions += [_has_one_of([tag]) for tag in wanted.tags_all]
    if wanted.tags_any:
        conditions.append(_has_one_of(wanted.tags_any))
    if wanted.tags_none:
        conditions.append(~_has_one_of(wanted.tags_none))
    return conditions


def _has_one_of(tags: Sequence[str]) -> ColumnElement[bool]:
    own = asset_tags.alias()  # beside the tags that a question counts
    return exists().where(own.c.asset_id == assets.c.id, own.c.tag.in_(tags))


def _assets(connection: Connection, rows: Iterable[Row[Any]]) -> list[Asset]:
    rows = list(rows)
    tags: dict[str, list[str]] = {row.id: [] for row in rows}
    if rows:
        found = select(asset_tags.c.asset_id, asset_tags.c.tag).where(asset_tags.c.asset_id.in_(tags))
        for asset_id, tag in connection.execute(found.order_by(asset_tags.c.position, asset_tags.c.tag)):
            tags[asset_id].append(tag)
    return [_asset(row, tags[row.id]) for row in rows]


def _asset(row: Row[Any], tags: Sequence[str]) -> Asset:
    return Asset(
        id=row.id,
        owner=row.owner,
        name=row.name,
        place=Place(row.root, row.path),
        is_reference=row.is_reference,
        hash=row.hash,
        size=row.size,
        modified_ns=row.modified_ns,
        mime_type=row.mime_type,
        user_metadata=json.loads(row.user_metadata),
        preview_id=row.preview_id,
        job_id=row.job_id,
        node_id=row.node_id,
        created_ms=row.created_ms,
        updated_ms=row.updated_ms,
        accessed_ms=row.accessed_ms,
        tags=tuple(tags),
    )
