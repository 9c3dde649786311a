"""What the library can be asked: functions from a connection to plain data, for the readers of the job store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Row, Select, asc, desc, func, select, union_all

from inglenook.assets.asset import Asset, AssetFilter, AssetPage, Cursor, Page, Place, Sort, TagCount
from inglenook.assets.matching import (
    Matching,
    behind,
    gathered,
    is_narrow,
    matching,
    shown_to,
    walked,
    without_excluded,
)
from inglenook.jobs.asset_tables import asset_tags, assets

_SORTED_BY: dict[Sort, ColumnElement[Any]] = {
    "created_at": assets.c.created_ms,
    "updated_at": assets.c.updated_ms,
    "name": assets.c.name,
    "size": assets.c.size,
    "last_access_time": assets.c.accessed_ms,
}

_FEW = 3000
"""Matching assets that are sorted rather than looked for in an order."""


def get(connection: Connection, asset_id: str, user: str | None) -> Asset | None:
    """The asset of that id, if the user may see it."""
    conditions = [assets.c.id == asset_id, *shown_to(user)]
    return next(iter(_assets(connection, connection.execute(select(assets).where(*conditions)))), None)


def count(connection: Connection, wanted: AssetFilter) -> Counter[str]:
    """How many assets match in each folder."""
    found = matching(connection, wanted)
    if found is None:
        return Counter()
    number = _count(connection, gathered(found))
    return number - _count(connection, gathered(found, excluded=True)) if found.wanted.tags_none else number


def _count(connection: Connection, conditions: list[ColumnElement[bool]]) -> Counter[str]:
    counted = select(assets.c.root, func.count()).where(*conditions).group_by(assets.c.root)
    return Counter({row.root: row[1] for row in connection.execute(counted)})


def page(connection: Connection, wanted: AssetFilter, part: Page, counts: Mapping[str, int]) -> AssetPage:
    """A part of the assets that match; counts: how many do in each folder."""
    found, total = matching(connection, wanted), sum(counts.values())
    if found is not None:
        found = replace(found, roots=tuple(root for root in found.roots if counts.get(root)))
    if found is None or not found.roots or part.offset >= total:
        return AssetPage((), total, None)
    # One more than asked for tells whether there is a next page.
    rows = connection.execute(
        _keys(found, part, is_sorted=total < _FEW).limit(part.limit + 1).offset(part.offset)
    ).all()
    ids = [row.id for row in rows[: part.limit]]
    by_id = {row.id: row for row in connection.execute(select(assets).where(assets.c.id.in_(ids)))}
    shown = _assets(connection, [by_id[asset_id] for asset_id in ids if asset_id in by_id])
    last = rows[part.limit - 1] if len(rows) > part.limit else None
    return AssetPage(tuple(shown), total, None if last is None else Cursor(last.key, last.id))


def _keys(found: Matching, part: Page, *, is_sorted: bool) -> Select[Any] | CompoundSelect[Any]:
    """Key of the order and id of the assets behind the cursor of a page.

    is_sorted: few match, which are found by their tags and sorted; otherwise the indexes of the folders are walked.
    """
    column, direction = _SORTED_BY[part.sort], desc if part.descending else asc
    keys = select(column.label("key"), assets.c.id)
    if part.after is not None:
        keys = keys.where(behind(column, part.after.value, part.after.id, descending=part.descending))
    order: list[ColumnElement[Any]] = [direction("key"), direction("id")]
    if is_sorted and is_narrow(found):
        ids = select(assets.c.id).where(*gathered(found)).correlate(None)
        return keys.where(assets.c.id.in_(ids), *without_excluded(found)).order_by(*order)
    if len(found.roots) == 1:
        return keys.where(*walked(found, found.roots[0])).order_by(*order)
    return union_all(*(keys.where(*walked(found, root)) for root in found.roots)).order_by(*order)


def of_hash(
    connection: Connection, content_hash: str, user: str | None, root: str | None = None, at_most: int = 20
) -> list[Asset]:
    """The assets with this content (in one root), those that stand for a file first."""
    conditions = [assets.c.hash == content_hash, *shown_to(user)]
    if root is not None:
        conditions.append(assets.c.root == root)
    found = select(assets).where(*conditions).order_by(assets.c.is_reference, assets.c.created_ms).limit(at_most)
    return _assets(connection, connection.execute(found))


def tag_counts(
    connection: Connection, wanted: AssetFilter, *, prefix: str = "", by_name: bool = False, limit: int, offset: int = 0
) -> tuple[list[TagCount], int]:
    """How many of the matching assets have each tag, and how many tags there are."""
    found = matching(connection, wanted)
    if found is None:
        return [], 0
    begins = asset_tags.c.tag.startswith(prefix, autoescape=True)
    counted = _all_tags(begins) if wanted == AssetFilter() else _tags_of(found, begins)
    total = connection.scalar(select(func.count()).select_from(counted.subquery())) or 0
    order: list[ColumnElement[Any]] = [asc("tag")] if by_name else [desc("number"), asc("tag")]
    rows = connection.execute(counted.order_by(*order).limit(limit).offset(offset))
    return [TagCount(tag, number) for tag, number in rows], total


def _tags_of(found: Matching, begins: ColumnElement[bool]) -> Select[Any]:
    """Each tag of the assets that match, with their number."""
    counted = select(asset_tags.c.tag, func.count().label("number")).join(assets, assets.c.id == asset_tags.c.asset_id)
    return counted.where(*gathered(found), *without_excluded(found), begins).group_by(asset_tags.c.tag)


def _all_tags(begins: ColumnElement[bool]) -> Select[Any]:
    """The same of all assets that are shown: all less the hidden ones, which are few."""
    counted = select(asset_tags.c.tag, func.count().label("number")).where(begins).group_by(asset_tags.c.tag)
    hidden = counted.join(assets, assets.c.id == asset_tags.c.asset_id).where(assets.c.hidden.is_(True)).subquery()
    every = counted.subquery()
    number = every.c.number - func.coalesce(hidden.c.number, 0)
    shown = select(every.c.tag, number.label("number")).outerjoin(hidden, hidden.c.tag == every.c.tag)
    return shown.where(number > 0)


def after(connection: Connection, root: str, last_id: str, limit: int, *, without_hash: bool = False) -> list[Asset]:
    """The assets of a folder behind an id, in the order of ids, hidden ones too."""
    found = select(assets).where(assets.c.root == root, assets.c.id > last_id).order_by(assets.c.id).limit(limit)
    if without_hash:
        found = found.where(assets.c.hash.is_(None), assets.c.is_reference.is_(False))
    return _assets(connection, connection.execute(found))


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
