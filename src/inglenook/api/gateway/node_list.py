"""`GET /api/nodes`: the node classes, to search and page through."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from inglenook.api.deps import CurrentServices
from inglenook.api.gateway.refusals import refusals
from inglenook.engine.catalog import Catalog

router = APIRouter(prefix="/api", tags=["system"])


class NodeEntry(BaseModel):
    """A node class in a few words; `/object_info/{class_type}` tells all."""

    class_type: str
    display_name: str
    category: str
    description: str
    module: str = Field(description="What it comes from: `nodes`, or the module of a node pack")
    is_output: bool
    is_deprecated: bool
    is_experimental: bool
    inputs: list[str]
    optional_inputs: list[str]
    outputs: list[str] = Field(description="Types of its outputs")
    info: dict[str, Any] | None = Field(None, description="With `details`: the interface as `/object_info` shows it")


class NodeList(BaseModel):
    """A part of the node classes, by name."""

    nodes: list[NodeEntry]
    total: int = Field(description="How many match in all")
    page: int
    limit: int
    categories: dict[str, int] = Field(description="How many classes each category has, of all that match `search`")


@router.get("/nodes", summary="Node classes", responses=refusals(422))
async def get_nodes(
    server: CurrentServices,
    search: Annotated[str, Query(max_length=200, description="Words that must all stand in its names or texts")] = "",
    category: Annotated[str, Query(max_length=200, description="Only this category and those below it")] = "",
    details: Annotated[bool, Query(description="With the whole interface of each class")] = False,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
) -> NodeList:
    """All node classes that a worker has, by name."""
    await server.questions.refresh()
    catalog = server.catalogs.current
    return await asyncio.to_thread(_listed, catalog, search.lower().split(), category, details, page, limit)


def _listed(catalog: Catalog, words: list[str], category: str, details: bool, page: int, limit: int) -> NodeList:
    infos = {name: schema.info for name in catalog if (schema := catalog.get(name)) is not None}
    found = sorted((name for name, info in infos.items() if _matches(name, info, words)), key=str.lower)
    categories = Counter(_text(infos[name], "category") for name in found)
    if category:
        inside = category.rstrip("/") + "/"
        found = [name for name in found if f"{_text(infos[name], 'category')}/".startswith(inside)]
    part = found[(page - 1) * limit : page * limit]
    entries = [_entry(name, infos[name], catalog.object_info(name)[name] if details else None) for name in part]
    return NodeList(
        nodes=entries, total=len(found), page=page, limit=limit, categories=dict(sorted(categories.items()))
    )


def _matches(name: str, info: Mapping[str, Any], words: list[str]) -> bool:
    if not words:
        return True
    told = " ".join([name, *(_text(info, key) for key in ("display_name", "category", "description"))]).lower()
    return all(word in told for word in words)


def _entry(name: str, info: Mapping[str, Any], whole: Mapping[str, Any] | None) -> NodeEntry:
    inputs = info.get("input") or {}
    outputs = info.get("output") or []
    return NodeEntry(
        class_type=name,
        display_name=_text(info, "display_name") or name,
        category=_text(info, "category"),
        description=_text(info, "description"),
        module=_text(info, "python_module"),
        is_output=bool(info.get("output_node")),
        is_deprecated=bool(info.get("deprecated")),
        is_experimental=bool(info.get("experimental")),
        inputs=[str(one) for one in inputs.get("required") or {}],
        optional_inputs=[str(one) for one in inputs.get("optional") or {}],
        outputs=[one if isinstance(one, str) else "COMBO" for one in outputs],
        info=None if whole is None else dict(whole),
    )


def _text(info: Mapping[str, Any], key: str) -> str:
    value = info.get(key)
    return value if isinstance(value, str) else ""
