"""What the library can be asked: functions from a connection to plain data, for the readers of the job store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    TextClause,
    asc,
    desc,
    func,
    select,
    text,
    union_all,
)

from inglenook.assets.asset import ROLES, Asset, AssetFilter, AssetPage, Cursor, Page, Place, Sort, TagCount
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

_ATTRIBUTES: dict[Sort, str] = {
    "created_at": "created_ms",
    "updated_at": "updated_ms",
    "name": "name",
    "size": "size",
    "last_access_time": "accessed_ms",
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
    keys = _keys(found, part, is_sorted=total < _FEW).limit(part.limit + 1).offset(part.offset).subquery()
    direction = desc if part.descending else asc
    order = (direction(keys.c.key), direction(keys.c.id))
    rows = _tuples(connection, select(assets).join(keys, keys.c.id == assets.c.id).order_by(*order))
    shown = _assets(connection, rows[: part.limit])
    return AssetPage(tuple(shown), total, _cursor(shown[-1], part.sort) if len(rows) > part.limit else None)


def _cursor(asset: Asset, sort: Sort) -> Cursor:
    return Cursor(getattr(asset, _ATTRIBUTES[sort]), asset.id)


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


def of_name(connection: Connection, root: str, name: str, user: str | None, at_most: int = 20) -> list[Asset]:
    """The assets of a folder with this name, the newest first."""
    conditions = [assets.c.root == root, assets.c.name == name, *shown_to(user)]
    found = select(assets).where(*conditions).order_by(desc(assets.c.created_ms), assets.c.id).limit(at_most)
    return _assets(connection, connection.execute(found))


def of_hash(
    connection: Connection, content_hash: str, user: str | None, roots: Iterable[str] = ROLES, at_most: int = 20
) -> list[Asset]:
    """The assets with this content in some folders, those that stand for a file first."""
    conditions = [assets.c.hash == content_hash, assets.c.root.concat("").in_(roots), *shown_to(user)]
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


def _assets(connection: Connection, rows: Iterable[Sequence[Any]]) -> list[Asset]:
    rows = list(rows)
    tags: dict[str, list[tuple[int, str]]] = {row[0]: [] for row in rows}
    if rows:
        for asset_id, position, tag in _tags_by_asset(connection, tags):
            tags[asset_id].append((position, tag))
    return [_asset(row, [tag for _, tag in sorted(tags[row[0]])]) for row in rows]


def _tuples(
    connection: Connection, query: Select[Any] | TextClause, parameters: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """Rows as the driver gives them: SQLAlchemy's cost twice as much. A boolean may be a number."""
    with connection.execute(query, parameters) as result:
        assert result.cursor is not None
        return list(result.cursor.fetchall())


_TAGS_OF = text("SELECT asset_id, position, tag FROM asset_tags WHERE asset_id IN (SELECT value FROM json_each(:ids))")
"""For SQLite: hundreds of ids as parameters of their own, or this in SQLAlchemy's words, cost more than the answer."""


def _tags_by_asset(connection: Connection, ids: Collection[str]) -> list[tuple[Any, ...]]:
    """(asset, position, tag) of these assets."""
    if connection.dialect.name == "sqlite":
        return _tuples(connection, _TAGS_OF, {"ids": json.dumps([*ids])})
    columns = (asset_tags.c.asset_id, asset_tags.c.position, asset_tags.c.tag)
    return _tuples(connection, select(*columns).where(asset_tags.c.asset_id.in_(ids)))


def _asset(row: Sequence[Any], tags: Sequence[str]) -> Asset:
    """row: every column of the table, in its order."""
    asset_id, owner, name, root, path, is_reference, _hidden, content, size, modified_ns, mime_type = row[:11]
    metadata, preview_id, job_id, node_id, created_ms, updated_ms, accessed_ms = row[11:]
    return Asset(
        asset_id,
        owner,
        name,
        Place(root, path),
        bool(is_reference),
        content,
        size,
        modified_ns,
        mime_type,
        {} if metadata == "{}" else json.loads(metadata),
        preview_id,
        job_id,
        node_id,
        created_ms,
        updated_ms,
        accessed_ms,
        tuple(tags),
    )
