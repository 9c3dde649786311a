"""Finished runs in the shape of `/history`."""

from __future__ import annotations

from typing import Any

import orjson

from inglenook.api.comfy.messages import execution_end, with_videos
from inglenook.jobs import Job, JobResult, State


def prompt_entry(job: Job) -> list[Any]:
    """Return `[number, id, graph, extra_data, output ids]`; the graph stays encoded (`orjson.Fragment`)."""
    return [job.number, job.id, orjson.Fragment(job.graph), job.extra_data, job.targets]


def history_entry(job: Job, result: JobResult) -> dict[str, Any]:
    """Return one entry of `/history`, to be encoded by orjson."""
    messages = [execution_end(name, fields, job.id) for name, fields in result.messages if name != "Blocked"]
    return {
        "prompt": prompt_entry(job),
        "outputs": {node_id: with_videos(output) for node_id, output in result.outputs.items()},
        "status": {
            "status_str": "success" if result.state is State.succeeded else "error",
            "completed": result.state is State.succeeded,
            "messages": messages,
        },
        "meta": result.meta,
    }
