"""Changes of the library: functions that the writer of the job store calls, each in a transaction of its own."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, insert, select, update

from inglenook.assets.asset import MISSING, Asset, Change, Found, Place
from inglenook.errors import InglenookError
from inglenook.jobs.asset_tables import asset_tags, assets

_FILTERED = ("hidden", "owner", "hash")
"""Columns that filters ask for, and that the file of an asset may change."""
_MISSING_POSITION = 1 << 20
"""Behind every other tag."""

MAX_TAGS = 256
"""Tags of an asset."""

Effect = Literal["added", "changed", "none"]
"""Of a file on which assets a filter matches: one more; perhaps others; the same as before."""


class TooManyTags(InglenookError):
    """An asset would have more than MAX_TAGS tags."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of a file that is to be in the library."""

    id: str
    is_new: bool
    """It is shown now, and was not before."""
    effect: Effect = "changed"


def register(connection: Connection, files: Sequence[Found], now_ms: int) -> list[Registered]:
    """Take files into the library, or take note of how they are now; in their order."""
    last = {file.place: file for file in files}
    known = _standing_for(connection, last)
    missing = _missing(connection, [row.id for row in known.values()])
    answers: dict[Place, Registered] = {}
    for place, row in known.items():
        is_new = row.hidden and (last[place].is_news or _differs(row, last[place]))
        has_changed = _refresh(connection, row, last[place], now_ms) or row.id in missing
        answers[place] = Registered(row.id, is_new, "changed" if has_changed else "none")
    _drop(connection, MISSING, missing)
    new = {place: str(uuid.uuid4()) for place in last if place not in known}
    if new:
        connection.execute(insert(assets), [_row(new[place], last[place], now_ms) for place in new])
        connection.execute(insert(asset_tags), [row for place in new for row in _tag_rows(new[place], last[place])])
    answers |= {place: Registered(asset_id, is_new=True, effect="added") for place, asset_id in new.items()}
    return [answers[file.place] for file in files]


def _standing_for(connection: Connection, places: Collection[Place]) -> dict[Place, Row[Any]]:
    """The asset that stands for each file."""
    paths: dict[str, list[str]] = defaultdict(list)
    for place in places:
        paths[place.root].append(place.path)
    known: dict[Place, Row[Any]] = {}
    for root, names in paths.items():
        found = select(assets).where(assets.c.root == root, assets.c.path.in_(names), assets.c.is_reference.is_(False))
        known.update({Place(row.root, row.path): row for row in connection.execute(found)})
    return known


def _missing(connection: Connection, ids: Collection[str]) -> list[str]:
    """Those that have the tag of assets whose file is gone."""
    with_tag = select(asset_tags.c.asset_id).where(asset_tags.c.tag == MISSING, asset_tags.c.asset_id.in_(ids))
    return list(connection.scalars(with_tag))


def _row(asset_id: str, file: Found, now_ms: int, *, is_reference: bool = False) -> dict[str, Any]:
    created_ms = now_ms if file.is_news else min(now_ms, file.modified_ns // 1_000_000)
    return {
        "id": asset_id,
        "owner": file.owner,
        "name": file.name or file.place.name,
        "root": file.place.root,
        "path": file.place.path,
        "is_reference": is_reference,
        "hidden": False,
        "hash": file.hash,
        "size": file.size,
        "modified_ns": file.modified_ns,
        "mime_type": file.mime_type,
        "user_metadata": json.dumps(file.user_metadata),
        "preview_id": file.preview_id,
        "job_id": file.job_id,
        "node_id": file.node_id,
        "created_ms": created_ms,
        "updated_ms": created_ms,
        "accessed_ms": 0,
    }


def _tag_rows(asset_id: str, file: Found) -> list[dict[str, Any]]:
    tags = dict.fromkeys([*file.place.tags(), *file.tags])
    return [{"asset_id": asset_id, "tag": tag, "position": index} for index, tag in enumerate(tags)]


def _differs(row: Row[Any], file: Found) -> bool:
    return (row.size, row.modified_ns) != (file.size, file.modified_ns)


def _refresh(connection: Connection, row: Row[Any], file: Found, now_ms: int) -> bool:
    """Note how the file of an asset is now; whether other filters may match it."""
    values: dict[str, Any] = {}
    if _differs(row, file):
        values |= {"size": file.size, "modified_ns": file.modified_ns, "hash": file.hash, "updated_ms": now_ms}
        values |= {"job_id": file.job_id, "node_id": file.node_id}
    else:
        for column in ("hash", "job_id", "node_id"):
            if row._mapping[column] is None and getattr(file, column) is not None:
                values[column] = getattr(file, column)
    if row.hidden and (file.is_news or _differs(row, file)):
        values |= {"hidden": False, "created_ms": now_ms, "owner": file.owner}
    elif file.is_news and file.owner != row.owner:
        values["owner"] = ""  # two users have made the same file
    if values:
        connection.execute(update(assets).where(assets.c.id == row.id).values(values))
    tagged = _put_tags(connection, row.id, file.tags) if file.tags else []
    return bool(tagged) or any(values.get(name, row._mapping[name]) != row._mapping[name] for name in _FILTERED)


def refer(connection: Connection, source_id: str, file: Found, now_ms: int) -> tuple[str, bool]:
    """A further asset of the file that another one stands for; its id, and whether it is new.

    The one that has this owner, name and content already is taken instead, with the further tags.
    """
    source = connection.execute(select(assets).where(assets.c.id == source_id)).one()
    same = select(assets.c.id).where(
        assets.c.hash == source.hash,
        assets.c.name == (file.name or source.name),
        assets.c.owner.in_(["", file.owner]),
        assets.c.hidden.is_(False),
    )
    known = connection.scalar(same.order_by(assets.c.created_ms))
    if known is not None:
        _put_tags(connection, known, file.tags)
        return str(known), False
    asset_id = str(uuid.uuid4())
    connection.execute(insert(assets), _row(asset_id, file, now_ms, is_reference=True))
    connection.execute(insert(asset_tags), _tag_rows(asset_id, file))
    return asset_id, True


def change(connection: Connection, asset: Asset, wanted: Change, now_ms: int) -> None:
    """Change what users say of an asset."""
    values: dict[str, Any] = {"updated_ms": now_ms}
    for column in ("name", "mime_type", "preview_id"):
        value = getattr(wanted, column)
        if value is not None:
            values[column] = value
    if wanted.removes_preview:
        values["preview_id"] = None
    if wanted.user_metadata is not None:
        values["user_metadata"] = json.dumps(wanted.user_metadata)
    connection.execute(update(assets).where(assets.c.id == asset.id).values(values))
    if wanted.tags is not None:
        fixed = {*asset.place.tags()[:1], MISSING}
        unwanted = [tag for tag in asset.tags if tag not in fixed and tag not in wanted.tags]
        _drop_tags(connection, asset.id, unwanted)
        _put_tags(connection, asset.id, [tag for tag in wanted.tags if tag not in fixed])


def remove(connection: Connection, asset: Asset, *, with_file: bool) -> bool:
    """Take an asset out of the library; whether its file may be removed now, because nothing else needs it.

    An asset whose file stays is only hidden, so that the next scan does not bring it back.
    """
    if asset.is_reference:
        _delete(connection, [asset.id])
        return False
    if not with_file:
        connection.execute(update(assets).where(assets.c.id == asset.id).values(hidden=True))
        return False
    place = (assets.c.root == asset.place.root, assets.c.path == asset.place.path)
    others = select(assets.c.id).where(*place, assets.c.id != asset.id).order_by(assets.c.created_ms)
    heir = connection.scalar(others)
    _delete(connection, [asset.id])
    if heir is None:
        return True
    connection.execute(update(assets).where(assets.c.id == heir).values(is_reference=False))
    return False


def forget_some(connection: Connection, root: str, at_most: int) -> int:
    """Remove some of the assets of a folder that has been emptied; how many."""
    of_root = select(assets.c.id).where(assets.c.root == root).limit(at_most)
    ids = list(connection.scalars(of_root))
    _delete(connection, ids)
    return len(ids)


def forget_file(connection: Connection, place: Place) -> None:
    """Remove every asset of a file."""
    of_file = select(assets.c.id).where(assets.c.root == place.root, assets.c.path == place.path)
    _delete(connection, list(connection.scalars(of_file)))


def mark_missing(connection: Connection, ids: Sequence[str]) -> int:
    """Give assets the tag of those whose file is gone; how many had it not."""
    known = set(_missing(connection, ids))
    marked = [asset_id for asset_id in ids if asset_id not in known]
    rows = [{"asset_id": asset_id, "tag": MISSING, "position": _MISSING_POSITION} for asset_id in marked]
    if rows:
        connection.execute(insert(asset_tags), rows)
    return len(rows)


def set_hashes(connection: Connection, hashes: Mapping[str, tuple[str, int]]) -> None:
    """Note hashes, id -> (hash, time of the file in ns when it was read), unless a file was noted anew meanwhile."""
    for asset_id, (content_hash, modified_ns) in hashes.items():
        unchanged = (assets.c.id == asset_id, assets.c.modified_ns == modified_ns)
        connection.execute(update(assets).where(*unchanged).values(hash=content_hash))


def touch(connection: Connection, asset_id: str, now_ms: int) -> None:
    """Note that the content of an asset was asked for."""
    connection.execute(update(assets).where(assets.c.id == asset_id).values(accessed_ms=now_ms))


def add_tags(connection: Connection, asset_id: str, tags: Iterable[str], now_ms: int) -> list[str]:
    """Give an asset tags; those that it did not have."""
    added = _put_tags(connection, asset_id, tags)
    if added:
        connection.execute(update(assets).where(assets.c.id == asset_id).values(updated_ms=now_ms))
    return added


def remove_tags(connection: Connection, asset_id: str, tags: Collection[str], now_ms: int) -> list[str]:
    """Take tags from an asset; those that it had."""
    known = select(asset_tags.c.tag).where(asset_tags.c.asset_id == asset_id, asset_tags.c.tag.in_(tags))
    removed = list(connection.scalars(known.order_by(asset_tags.c.position)))
    _drop_tags(connection, asset_id, removed)
    if removed:
        connection.execute(update(assets).where(assets.c.id == asset_id).values(updated_ms=now_ms))
    return removed


def _put_tags(connection: Connection, asset_id: str, tags: Iterable[str]) -> list[str]:
    rows = connection.execute(
        select(asset_tags.c.tag, asset_tags.c.position).where(asset_tags.c.asset_id == asset_id)
    ).all()
    known = {row.tag for row in rows}
    start = max((row.position for row in rows if row.position < _MISSING_POSITION), default=-1) + 1
    added = [tag for tag in dict.fromkeys(tags) if tag not in known]
    if added:
        if len(rows) + len(added) > MAX_TAGS:
            raise TooManyTags(f"An asset has up to {MAX_TAGS} tags; this one would have {len(rows) + len(added)}")
        connection.execute(
            insert(asset_tags),
            [{"asset_id": asset_id, "tag": tag, "position": start + index} for index, tag in enumerate(added)],
        )
    return added


def _drop_tags(connection: Connection, asset_id: str, tags: Collection[str]) -> None:
    connection.execute(delete(asset_tags).where(asset_tags.c.asset_id == asset_id, asset_tags.c.tag.in_(tags)))


def _drop(connection: Connection, tag: str, ids: Collection[str]) -> None:
    if ids:
        connection.execute(delete(asset_tags).where(asset_tags.c.tag == tag, asset_tags.c.asset_id.in_(ids)))


def _delete(connection: Connection, ids: Sequence[str]) -> None:
    connection.execute(update(assets).where(assets.c.preview_id.in_(ids)).values(preview_id=None))
    connection.execute(delete(asset_tags).where(asset_tags.c.asset_id.in_(ids)))
    connection.execute(delete(assets).where(assets.c.id.in_(ids)))
