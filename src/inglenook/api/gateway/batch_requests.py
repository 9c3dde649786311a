"""What a request for a batch asks for: one set of values for each task."""

from __future__ import annotations

import itertools
import math
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from inglenook.api.errors import ApiError
from inglenook.api.gateway.task_models import WORKFLOW, TaskFields


class Table(BaseModel):
    """Sets of values as a table: a column for each parameter, a row for each task."""

    model_config = ConfigDict(extra="forbid")

    columns: list[str] = Field(min_length=1, max_length=1000)
    rows: list[list[Any]] = Field(min_length=1, max_length=100_000)


def _given(name: str) -> dict[str, Any]:
    """A schema of objects that have this field."""
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


class BatchRequest(TaskFields):
    """A workflow and many sets of values, given in one of three ways."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [_given(name) for name in ("sets", "grid", "table")]})

    workflow: Any = Field(
        description="A workflow of any format, or the name of a stored one", json_schema_extra=WORKFLOW
    )
    params: dict[str, Any] | None = Field(None, description="Values of every task, where its set has no other")
    sets: list[dict[str, Any]] | None = Field(
        None, min_length=1, max_length=100_000, description="Parameter -> value, for each task"
    )
    grid: dict[str, list[Any]] | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Parameter -> values, at least one; a task for each combination",
    )
    table: Table | None = Field(None, description="The sets as a table")


def sets_of(asked: BatchRequest, limit: int) -> list[dict[str, Any]]:
    """The values of each task. Raises ApiError 422 when there are none, too many, or they are given twice."""
    given = [name for name in ("sets", "grid", "table") if getattr(asked, name) is not None]
    if len(given) != 1:
        text = f"Give one of sets, grid and table, not {' and '.join(given)}" if given else "Give sets, grid or table"
        raise ApiError(422, "invalid_request", text)
    count = _count(asked)
    if count > limit:
        raise ApiError(422, "batch_too_large", f"The batch has {count} tasks; at most {limit} are taken at once")
    common = asked.params or {}
    return [{**common, **values} for values in _sets(asked)]


def _count(asked: BatchRequest) -> int:
    if asked.grid is not None:
        if not all(asked.grid.values()):
            raise ApiError(422, "invalid_request", "A parameter of the grid has no values")
        return math.prod(len(values) for values in asked.grid.values())
    return len(asked.sets) if asked.sets is not None else len(asked.table.rows if asked.table is not None else ())


def _sets(asked: BatchRequest) -> list[dict[str, Any]]:
    if asked.sets is not None:
        return asked.sets
    if asked.grid is not None:
        names = list(asked.grid)
        return [dict(zip(names, values, strict=True)) for values in itertools.product(*asked.grid.values())]
    assert asked.table is not None
    columns = asked.table.columns
    for index, row in enumerate(asked.table.rows):
        if len(row) != len(columns):
            text = f"Row {index} of the table has {len(row)} values for {len(columns)} columns"
            raise ApiError(422, "invalid_request", text)
    return [dict(zip(columns, row, strict=True)) for row in asked.table.rows]
