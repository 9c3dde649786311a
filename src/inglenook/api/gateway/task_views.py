"""A task as clients see it, at every state of its life."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from inglenook.api.comfy.entries import SHORT_STATUS, shown_outputs
from inglenook.api.comfy.messages import whole
from inglenook.api.deps import Services
from inglenook.api.submission import notes_of, repairs_of
from inglenook.dispatch.durations import remaining_s, work_of_run
from inglenook.dispatch.progress import Plan, percent, plan_of
from inglenook.dispatch.run import Run
from inglenook.jobs import FinishedJob, Job, JobResult, ListedJob, State
from inglenook.media.kinds import file_kind

_LARGE_BYTES = 200_000
_MOST_AHEAD = 50
"""Jobs before a pending one that its time is reckoned for; further back nothing is told."""


def typed_results(outputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What nodes show as a flat list: files with kind and address, texts as they are."""
    return [entry for node_id, shown in outputs.items() for entry in _of_node(node_id, shown)]


def _of_node(node_id: str, shown: Any) -> Iterator[dict[str, Any]]:
    for key, items in shown.items() if isinstance(shown, dict) else ():
        for item in items if isinstance(items, list) else ():
            if isinstance(item, str) and key == "text":
                yield {"kind": "text", "node": node_id, "text": item}
            elif isinstance(item, dict) and isinstance(item.get("filename"), str):
                yield _file(node_id, item)


def _file(node_id: str, item: Mapping[str, Any]) -> dict[str, Any]:
    name = item["filename"]
    subfolder, kind = _text(item, "subfolder", ""), _text(item, "type", "output")
    place = {"filename": name, "subfolder": subfolder, "type": kind}
    return {"kind": file_kind(name), "node": node_id, **place, "url": f"/api/view?{_query(place)}"}


def _query(place: Mapping[str, str]) -> str:
    return urlencode(place, errors="replace")


def _text(item: Mapping[str, Any], name: str, default: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) and (value or not default) else default


async def whole_task(server: Services, job: Job, finished: FinishedJob | None) -> dict[str, Any]:
    """Everything about a task."""
    notes = notes_of(job)
    entry = _basics(job, finished.result if finished is not None else None)
    entry |= {"parameters": notes.get("parameters", {}), "repairs": repairs_of(job)}
    entry |= {name: notes[name] for name in ("retry_of", "batch_id") if name in notes}
    run = server.dispatcher.find(job.id)
    if finished is not None:
        if finished.result.error is not None:
            entry["error"] = await _error(job, finished.result)
    elif run is not None and not run.is_deleted and not job.state.is_end:
        await server.durations.refresh(server.store)
        entry |= await _alive(server, run)
    return entry


async def listed_task(server: Services, listed: ListedJob) -> dict[str, Any]:
    """A task in a list: without parameters and repairs."""
    job, run = listed.job, server.dispatcher.find(listed.job.id)
    if run is not None and not run.is_deleted:
        is_ending = run.result is not None and not run.is_committed
        if not is_ending and not (run.job.state.is_end and not job.state.is_end):
            job = run.job
    result = None
    if listed.outputs is not None:
        result = JobResult(listed.job.state, listed.job.ended_ms or 0, listed.outputs, error=listed.error)
        job = listed.job
    entry = _basics(job, result)
    if result is None and run is not None and not job.state.is_end:
        entry |= await _alive(server, run)
    return entry


def _basics(job: Job, result: JobResult | None) -> dict[str, Any]:
    ended, started = job.ended_ms, job.started_ms
    took = (ended - started) / 1000 if ended is not None and started is not None else None
    return {
        "task_id": job.id,
        "prompt_id": job.id,
        "status": SHORT_STATUS[job.state],
        "progress": 100.0 if job.state is State.succeeded else 0.0 if job.state is State.queued else None,
        "position": None,
        "node": None,
        "node_class": None,
        "node_title": None,
        "step": None,
        "total_steps": None,
        "eta": None,
        "outputs": {} if result is None else shown_outputs(result),
        "results": [] if result is None else typed_results(result.outputs),
        "error": None if result is None else result.error,
        "workflow": job.workflow_name,
        "priority": job.priority,
        "number": job.number,
        "timeout": job.timeout_s,
        "client_id": job.client_id,
        "attempts": job.attempt,
        "worker": job.worker or None,
        "create_time": job.created_ms,
        "execution_start_time": started,
        "execution_end_time": ended,
        "duration": took,
    }


async def _plan(run: Run) -> Plan:
    if run.plan is None:
        arguments = (run.job.graph, run.job.targets)
        large = len(run.job.graph) > _LARGE_BYTES
        run.plan = await asyncio.to_thread(plan_of, *arguments) if large else plan_of(*arguments)
    plan: Plan = run.plan
    return plan


async def progress_of(run: Run) -> float:
    """Percent of a task that has not ended."""
    return 0.0 if run.job.state is State.queued else percent(run, await _plan(run))


async def _alive(server: Services, run: Run) -> dict[str, Any]:
    """What is told of a task that waits or runs."""
    if run.job.state is State.queued:
        return {"position": server.dispatcher.position(run.job.id), "eta": _until_end_of_waiting(server, run)}
    plan = await _plan(run)
    done = percent(run, plan)
    entry: dict[str, Any] = {"progress": done, "eta": _rounded(_until_end(server, run, done))}
    node = run.current
    if node is not None:
        class_type, title = plan.names.get(node.display_id, plan.names.get(node.real_id, ("", "")))
        entry |= {"node": node.display_id, "node_class": class_type, "node_title": title}
        progress = run.progress
        if progress is not None and progress.node.node_id == node.node_id:
            entry |= {"step": whole(progress.value), "total_steps": whole(progress.total)}
    return entry


def _until_end(server: Services, run: Run, done: float) -> float | None:
    elapsed_s = max(0.0, time.time() - (run.job.started_ms or 0) / 1000)
    if len(run.job.graph) > _LARGE_BYTES and run.work is None:
        return remaining_s(None, elapsed_s, done)
    return remaining_s(server.durations.expected_s(work_of_run(run)), elapsed_s, done)


def _until_end_of_waiting(server: Services, run: Run) -> float | None:
    """The time until a pending task has ended, None where anything before it cannot be told."""
    dispatcher = server.dispatcher
    position = dispatcher.position(run.job.id)
    if position is None or position > _MOST_AHEAD or dispatcher.is_paused:
        return None
    workers = max(1, sum(worker.documents is not None for worker in dispatcher.workers))
    total = 0.0
    for before in dispatcher.running():
        left = None if before.plan is None else _until_end(server, before, percent(before, before.plan))
        if left is None:
            left = server.durations.expected_s(work_of_run(before)) if _is_small(before) else None
        if left is None:
            return None
        total += left
    own = 0.0
    for index, waiting in enumerate(dispatcher.first_waiting(position), start=1):
        expected = server.durations.expected_s(work_of_run(waiting)) if _is_small(waiting) else None
        if expected is None:
            return None
        if index == position:
            own = expected
        else:
            total += expected
    return _rounded(total / workers + own)


def _is_small(run: Run) -> bool:
    return run.work is not None or len(run.job.graph) <= _LARGE_BYTES


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


async def _error(job: Job, result: JobResult) -> dict[str, Any]:
    """Which node failed and why."""
    assert result.error is not None
    error = {**result.error, "type": None, "class_type": None, "title": None}
    name, fields = result.messages[-1] if result.messages else ("", {})
    if name == "Failed" and isinstance(fields, dict):
        error |= {"type": fields.get("exception_type"), "class_type": fields.get("class_type") or None}
    node_id = result.error.get("node_id")
    if node_id and job.graph:
        large = len(job.graph) > _LARGE_BYTES
        plan = await asyncio.to_thread(plan_of, job.graph, ()) if large else plan_of(job.graph, ())
        class_type, title = plan.names.get(str(node_id), (error["class_type"], None))
        error |= {"class_type": error["class_type"] or class_type, "title": title}
    return error
