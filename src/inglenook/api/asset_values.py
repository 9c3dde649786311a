"""Values of a graph that mean a file by its asset: `blake3:<hash>`, or the name that a user gave an upload.

They become what every loader node knows (`sub/a.png [output]`) when the graph is submitted, so that validators, the
run, its cache, saved files and other servers have to do with files alone. An asset that a user may not see is none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from inglenook.api.deps import Services
from inglenook.assets import Asset, Place
from inglenook.engine.catalog import Catalog
from inglenook.engine.graph import Graph
from inglenook.engine.schema import UPLOAD_OPTIONS, ChoiceSource, NodeSchema
from inglenook.engine.values import shorten
from inglenook.media.content_hashes import ASSET_HASH, is_hash
from inglenook.media.folders import split_annotation
from inglenook.media.users import DEFAULT_USER
from inglenook.workflows import Repair

_ROOTS = ("input", "output", "temp")
"""Where loader nodes find files; models have nodes and lists of their own."""
_MOST_VALUES = 256
"""Different ones that are looked for in a graph."""
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class _Value:
    """An input that names a file."""

    node_id: str
    input: str
    text: str


async def with_hashed_files(server: Services, graph: Graph, user: str | None) -> tuple[Graph, tuple[Repair, ...]]:
    """The graph with files in place of hashes; a hash that no asset has stays, for validation to refuse.

    user: who may see the assets; None: everybody.
    """
    values = [*_hashes(graph, server.catalogs.current)] if server.assets is not None else []
    return await _replaced(server, graph, values, user) if values else (graph, ())


async def with_named_files(
    server: Services, graph: Graph, refused: Collection[str], user: str | None
) -> tuple[Graph, tuple[Repair, ...]]:
    """The graph with files in place of names of assets, in nodes that validation has refused: a file goes first."""
    values = [*_names(graph, refused, server.catalogs.current)] if server.assets is not None else []
    return await _replaced(server, graph, values, user) if values else (graph, ())


def _hashes(graph: Graph, catalog: Catalog) -> Iterator[_Value]:
    for node in graph.nodes.values():
        for name, value in node.inputs.items():
            if type(value) is str and value.startswith(ASSET_HASH) and _is_file(catalog.get(node.class_type), name):
                yield _Value(node.id, name, value)


def _names(graph: Graph, refused: Collection[str], catalog: Catalog) -> Iterator[_Value]:
    for node in (graph.nodes[node_id] for node_id in refused):
        for name, value in node.inputs.items():
            if type(value) is str and 0 < len(value) <= _LONGEST_NAME and _is_file(catalog.get(node.class_type), name):
                yield _Value(node.id, name, value)


def _is_file(schema: NodeSchema | None, name: str) -> bool:
    """Whether an input takes a file of the input folder."""
    if schema is None:
        return False
    spec = schema.inputs.get(name)
    if spec is None:
        return False
    source = spec.choices
    is_listed = isinstance(source, ChoiceSource) and source.kind == "input"
    return is_listed or name in schema.file_inputs or any(spec.options.get(one) is True for one in UPLOAD_OPTIONS)


async def _replaced(
    server: Services, graph: Graph, values: list[_Value], user: str | None
) -> tuple[Graph, tuple[Repair, ...]]:
    files = await _files(server, dict.fromkeys(value.text for value in values), user)
    inputs: dict[str, dict[str, Any]] = {}
    repairs = []
    for value in values:
        file = files.get(value.text)
        if file is None:
            continue
        inputs.setdefault(value.node_id, dict(graph.nodes[value.node_id].inputs))[value.input] = file
        text = f"{value.input}: the asset {shorten(value.text, 100)!r} is the file {shorten(file, 200)!r}"
        repairs.append(Repair(value.node_id, "asset", text, value.text, file))
    changed = {name: msgspec.structs.replace(graph.nodes[name], inputs=new) for name, new in inputs.items()}
    return (Graph({**graph.nodes, **changed}), tuple(repairs)) if changed else (graph, ())


async def _files(server: Services, texts: Mapping[str, None], user: str | None) -> dict[str, str]:
    """Value -> the file that it means, as a loader node names it."""
    assert server.assets is not None
    if user is None and server.settings.multi_user:
        user = DEFAULT_USER
    await server.assets.recorder.settle()  # a result of the job before
    found = {}
    for text in [*texts][:_MOST_VALUES]:
        asset = await _asset(server, text, user)
        if asset is not None:
            found[text] = _as_loader_value(asset.place)
    return found


async def _asset(server: Services, text: str, user: str | None) -> Asset | None:
    assert server.assets is not None
    library = server.assets.library
    if not text.startswith(ASSET_HASH):
        return await library.named("input", text, user)
    content = split_annotation(text, "")[0].strip().lower()
    found = await library.with_content(content, user, _ROOTS) if is_hash(content) else None
    return None if found is None else found[0]


def _as_loader_value(place: Place) -> str:
    return place.path if place.root == "input" else f"{place.path} [{place.root}]"
