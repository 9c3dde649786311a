"""Stored workflows as clients see them, read with the node classes and models that are there now."""

from __future__ import annotations

import asyncio
from typing import Any

from inglenook.api.library_entries import OpenedWorkflow
from inglenook.workflows.missing_files import find_missing_files
from inglenook.workflows.results import find_results


async def reading(opened: OpenedWorkflow) -> dict[str, Any]:
    """`parameters`, `outputs`, `missing` and `repairs` of a workflow."""
    return await asyncio.to_thread(_reading, opened)


def _reading(opened: OpenedWorkflow) -> dict[str, Any]:
    files = find_missing_files(opened.graph, opened.catalog)
    return {
        "parameters": [one.to_json() for one in opened.parameters],
        "outputs": [one.to_json() for one in find_results(opened.graph, opened.catalog)],
        "missing": {
            "nodes": [one.to_json() for one in opened.normalized.missing],
            "models": [one.to_json() for one in files if one.kind == "model"],
            "inputs": [one.to_json() for one in files if one.kind == "input"],
        },
        "repairs": [one.to_json() for one in opened.normalized.repairs],
    }
