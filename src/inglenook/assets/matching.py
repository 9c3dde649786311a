"""A filter as the database is asked: which folders, and conditions for what an index cannot tell.

Every asset has the tag of its folder, first. Unless users gave that tag to other assets too, it is a condition on the
folder, by which the indexes begin, and no look at the tags of each asset.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, literal, or_, select

from inglenook.assets.asset import ROLES, AssetFilter
from inglenook.assets.metadata_filter import by_metadata
from inglenook.jobs.asset_tables import asset_tags, assets


@dataclass(frozen=True, slots=True)
class Matching:
    """Assets that are shown, in these folders, and that match what is left of a filter."""

    roots: tuple[str, ...]
    wanted: AssetFilter
    by_text: tuple[ColumnElement[bool], ...]
    """Conditions on names and on what users say, which no index knows."""


def matching(connection: Connection, wanted: AssetFilter) -> Matching | None:
    """What a filter means now, without tags that no asset has; None when no asset can match."""
    named = {*wanted.tags_all, *wanted.tags_any, *wanted.tags_none}
    folders = {tag for tag in named if tag in ROLES and not _is_elsewhere(connection, tag)}
    used = {tag for tag in named - folders if _is_used(connection, tag)}
    roots = {*ROLES}.difference(folders.intersection(wanted.tags_none))
    for tag in folders.intersection(wanted.tags_all):
        roots &= {tag}
    tags_any = tuple(tag for tag in wanted.tags_any if tag in used)
    if wanted.tags_any and not tags_any:
        roots &= folders.intersection(wanted.tags_any)
    elif tags_any:
        tags_any = tuple(tag for tag in wanted.tags_any if tag in used | folders)
    tags_all = tuple(tag for tag in wanted.tags_all if tag not in folders)
    if not roots or not used.issuperset(tags_all):
        return None
    tags_none = tuple(tag for tag in wanted.tags_none if tag in used)
    left = replace(wanted, tags_all=tags_all, tags_any=tags_any, tags_none=tags_none)
    by_text = (*_by_name(connection, wanted.name_contains), *by_metadata(connection.dialect.name, wanted.metadata))
    return Matching(tuple(sorted(roots)), left, by_text)


def _by_name(connection: Connection, text: str) -> tuple[ColumnElement[bool], ...]:
    if not text:
        return ()
    if connection.dialect.name == "sqlite":  # its LIKE ignores the case of ASCII, and `icontains` is half as fast
        return (assets.c.name.contains(text, autoescape=True),)
    return (assets.c.name.icontains(text, autoescape=True),)


def _is_elsewhere(connection: Connection, role: str) -> bool:
    """Whether assets of other folders have the tag of this one."""
    given = select(literal(1)).where(asset_tags.c.tag == role, asset_tags.c.position > 0).limit(1)
    return connection.scalar(given) is not None


def _is_used(connection: Connection, tag: str) -> bool:
    return connection.scalar(select(literal(1)).where(asset_tags.c.tag == tag).limit(1)) is not None


def shown_to(user: str | None) -> list[ColumnElement[bool]]:
    """What a user may see, and has not removed."""
    conditions: list[ColumnElement[bool]] = [assets.c.hidden.is_(False)]
    if user is not None:
        conditions.append(assets.c.owner.in_(["", user]))
    return conditions


def walked(found: Matching, root: str) -> list[ColumnElement[bool]]:
    """Conditions for the assets of a folder, met one after the other in an order: each is asked for its tags."""
    wanted = found.wanted
    conditions = [*shown_to(wanted.user), assets.c.root == root, *_plain(found)]
    conditions += [_has([tag]) for tag in wanted.tags_all]
    if wanted.tags_any:
        conditions.append(_has(wanted.tags_any))
    return [*conditions, *without_excluded(found)]


def without_excluded(found: Matching) -> list[ColumnElement[bool]]:
    """Conditions that leave out those with a tag that they are not to have."""
    return [~_has(found.wanted.tags_none)] if found.wanted.tags_none else []


def gathered(found: Matching, *, excluded: bool = False) -> list[ColumnElement[bool]]:
    """Conditions that begin with the assets of a tag, a content or a user, and not with an order.

    Whatever tags they are not to have; excluded: only those that have one of these.
    """
    wanted = found.wanted
    ids = [_with_tag([tag]) for tag in wanted.tags_all]
    ids += [_with_tag(wanted.tags_any)] if wanted.tags_any else []
    ids += [_with_tag(wanted.tags_none)] if excluded else []
    if not ids and wanted.hash is None:
        return [*shown_to(wanted.user), assets.c.root.in_(found.roots), *found.by_text]
    # In this form SQLite does not begin with one of the indexes of the folders.
    conditions: list[ColumnElement[bool]] = [assets.c.hidden.is_not(True), assets.c.root.concat("").in_(found.roots)]
    if wanted.user is not None:
        conditions.append(assets.c.owner.concat("").in_(["", wanted.user]))
    return [*(assets.c.id.in_(some) for some in ids), *conditions, *_plain(found)]


def is_narrow(found: Matching) -> bool:
    """Whether more than the folder tells which assets match."""
    wanted = found.wanted
    return wanted.user is not None or any(
        (wanted.tags_all, wanted.tags_any, wanted.name_contains, wanted.hash, wanted.metadata)
    )


def _plain(found: Matching) -> list[ColumnElement[bool]]:
    content = found.wanted.hash
    return [*found.by_text] if content is None else [assets.c.hash == content, *found.by_text]


def _has(tags: Collection[str]) -> ColumnElement[bool]:
    own = asset_tags.alias()  # beside the tags that a question counts
    return exists().where(own.c.asset_id == assets.c.id, own.c.tag.in_(tags))


def _with_tag(tags: Collection[str]) -> Select[tuple[str]]:
    own = asset_tags.alias()
    return select(own.c.asset_id).where(own.c.tag.in_(tags))


def behind(column: ColumnElement[Any], value: str | int, asset_id: str, *, descending: bool) -> ColumnElement[bool]:
    """Behind an asset in an order, in the form that finds the place in an index."""
    if descending:
        return and_(column <= value, or_(column < value, assets.c.id < asset_id))
    return and_(column >= value, or_(column > value, assets.c.id > asset_id))
