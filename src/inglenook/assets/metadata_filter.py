"""Conditions on what users say of an asset, its `user_metadata`, for both databases.

A value matches itself, and a list that contains it; null also matches a key that is not there. Numbers are compared as
numbers, and are neither true nor false. The job and the node of a result, which clients see as `jobId` and `nodeId`
among the metadata, can be asked for too. Costs a look at every asset that the rest of a filter leaves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, case, cast, exists, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from inglenook.jobs.asset_tables import assets

_OF_JOBS = {"jobId": assets.c.job_id, "nodeId": assets.c.node_id}
_LARGEST = 1 << 63


def by_metadata(dialect: str, wanted: str) -> tuple[ColumnElement[bool], ...]:
    """Conditions for a filter (see `AssetFilter.metadata`); dialect: of SQLAlchemy."""
    return tuple(_has(dialect, key, value) for key, value in json.loads(wanted).items()) if wanted else ()


def _has(dialect: str, key: str, value: Any) -> ColumnElement[bool]:
    values = value if isinstance(value, list) else [value]
    if not values:
        return literal(False)
    said = _in_sqlite(key, values) if dialect == "sqlite" else _in_postgresql(key, values)
    if None not in values:
        said = and_(assets.c.user_metadata != "{}", said)  # most are, and cost nothing then
    column, texts = _OF_JOBS.get(key), [text for text in values if isinstance(text, str)]
    if column is None or not texts:
        return said
    return or_(and_(assets.c.root.concat("").in_(("output", "temp")), column.in_(texts)), said)


def _in_sqlite(key: str, values: Sequence[Any]) -> ColumnElement[bool]:
    of_object = func.json_each(assets.c.user_metadata).table_valued("key", "value", "type", "atom", name="said")
    of_list = func.json_each(of_object.c.value).table_valued("type", "atom", name="item")
    in_list = exists(select(literal(1)).select_from(of_list).where(or_(*_equals(of_list.c, values))))
    found = or_(*_equals(of_object.c, values), and_(of_object.c.type == "array", in_list))
    has_key = select(literal(1)).select_from(of_object).where(of_object.c.key == key).correlate(assets)
    says = exists(has_key.where(found))
    return or_(says, ~exists(has_key)) if None in values else says


def _equals(found: Any, values: Sequence[Any]) -> Iterator[ColumnElement[bool]]:
    """Conditions for a value of SQLite's `json_each`, of which one is enough."""
    for text, value in (("null", None), ("true", True), ("false", False)):
        if any(one is value for one in values):
            yield found.type == text
    texts = [one for one in values if isinstance(one, str)]
    numbers = [one if abs(one) < _LARGEST else float(one) for one in values if type(one) in (int, float)]
    if texts:
        yield and_(found.type == "text", found.atom.in_(texts))
    if numbers:
        yield and_(found.type.in_(("integer", "real")), found.atom.in_(numbers))


def _in_postgresql(key: str, values: Sequence[Any]) -> ColumnElement[bool]:
    said = cast(assets.c.user_metadata, JSONB)
    found = or_(*(said.contains({key: held}) for value in values for held in (value, [value])))
    if None in values:
        found = or_(found, ~said.has_key(key))
    # JSON of PostgreSQL has no NUL: the cast would fail.
    return case((assets.c.user_metadata.contains("\\u0000", autoescape=True), literal(False)), else_=found)
