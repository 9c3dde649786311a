"""Any workflow as a graph, under the limits of this server and with the catalog as it is now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from inglenook.api.errors import ApiError
from inglenook.api.workflow_files import parse_document
from inglenook.dispatch.catalogs import Catalogs
from inglenook.engine.graph import GraphError, TooManyNodes
from inglenook.settings import Settings
from inglenook.workflows import Normalized, WorkflowFormatError, is_ui_format, needed_classes, normalize, unwrap

_CATALOG_WAIT_S = 20.0


async def unwrapped(settings: Settings, body: Any) -> dict[str, Any]:
    """The workflow in a wrapper, a JSON text or a file, in the format that it has. Raises ApiError 400, 413."""
    depth, limit = settings.max_json_depth, settings.max_nodes
    try:
        document = await asyncio.to_thread(unwrap, body, lambda data: parse_document(data, depth))
        if not is_ui_format(document):
            _check_graph(document, limit)
    except WorkflowFormatError as error:
        raise ApiError(400, "invalid_workflow", "This is no workflow that can be read", str(error)) from error
    except GraphError as error:
        raise ApiError(400, error.type, error.message, error.details) from error
    return dict(document)


def _check_graph(document: Any, max_nodes: int) -> None:
    if not isinstance(document, Mapping):
        raise WorkflowFormatError(f"A workflow is a JSON object, not {type(document).__name__}")
    if len(document) > max_nodes:
        raise TooManyNodes(len(document), max_nodes)
    if not any(isinstance(node, Mapping) and isinstance(node.get("class_type"), str) for node in document.values()):
        raise WorkflowFormatError("It has neither a list of nodes nor a node with a class_type")


async def normalized(settings: Settings, catalogs: Catalogs, document: Mapping[str, Any]) -> Normalized:
    """The graph of an unwrapped workflow; classes that no worker has been heard of yet are waited for.

    Raises ApiError 400.
    """
    try:
        await catalogs.wait_for(await asyncio.to_thread(needed_classes, document), _CATALOG_WAIT_S)
        return await asyncio.to_thread(
            normalize,
            document,
            catalogs.current,
            max_nodes=settings.max_nodes,
            old_widgets=catalogs.old_widgets(),
        )
    except WorkflowFormatError as error:
        raise ApiError(400, "invalid_workflow", "This is no workflow that can be read", str(error)) from error
    except GraphError as error:
        raise ApiError(400, error.type, error.message, error.details) from error
