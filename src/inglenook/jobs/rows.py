"""Between the dataclasses of a job and the rows of its tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from inglenook.jobs.codec import from_json, to_json, unpack
from inglenook.jobs.errors import JobRejected
from inglenook.jobs.job import Errand, FinishedJob, Job, JobId, JobResult, ListedJob, State
from inglenook.jobs.tables import jobs


def job_row(job: Job) -> dict[str, Any]:
    """The row of a new job in `jobs`, without its sequence."""
    return {
        "id": job.id,
        "state": State.queued.value,
        "priority": job.priority,
        "number": _finite(job),
        "number_is_int": isinstance(job.number, int),
        "fingerprint": job.fingerprint,
        "client_id": _storable(job.client_id),
        "user_id": job.user,
        "workflow_id": _storable(workflow_id(job.extra_data)),
        "workflow_name": job.workflow_name,
        "created_ms": job.created_ms,
        "duration_ms": 0,
        "attempt": job.attempt,
        "timeout_s": job.timeout_s,
        "server_deaths": job.server_deaths,
        "worker_deaths": job.worker_deaths,
        "in_history": False,
        "removed": False,
    }


def body_row(job: Job) -> dict[str, Any]:
    """The row of a job in `job_body`, without its sequence and not packed yet."""
    try:
        return {"graph": job.graph, "extra_data": extra_json(job), "targets": to_json(job.targets)}
    except (TypeError, ValueError, RecursionError) as error:
        raise JobRejected(job.id, f"extra_data is not JSON: {error}") from error


def extra_json(job: Job) -> bytes:
    """JSON of a job's extra data. Raises TypeError, ValueError, RecursionError."""
    return job.extra_json or to_json(job.extra_data)


def result_row(
    job_id: JobId, result: JobResult, show: Callable[[JobId, JobResult], bytes] | None = None
) -> dict[str, Any]:
    """The row of a result in `job_result`, with the job's id in place of its sequence, not packed yet."""
    try:
        return {
            "shown_json": None if show is None else show(job_id, result),
            "job_id": job_id,
            "outputs_json": to_json(result.outputs),
            "meta_json": to_json(result.meta),
            "messages_json": to_json(result.messages),
            "error_json": None if result.error is None else to_json(result.error),
            "events_json": None if result.events is None else to_json(result.events),
        }
    except (TypeError, ValueError, RecursionError) as error:
        raise JobRejected(job_id, f"its result is not JSON: {error}") from error


def output_rows(job_id: JobId, outputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each file that a result names, with the job's id in place of its sequence."""
    return [
        {
            "job_id": job_id,
            "at_position": position,
            "at_node": _storable(node_id),
            "at_media_key": _storable(media_key),
            "at_filename": _storable(item["filename"]),
            "at_subfolder": _storable(_text(item.get("subfolder"))),
            "at_type": _storable(_text(item.get("type"))),
        }
        for position, (node_id, media_key, item) in enumerate(_files(outputs))
    ]


def result_files(outputs: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The files that a result names: the node, and `{"filename", "subfolder"?, "type"?}`."""
    for node_id, _media_key, item in _files(outputs):
        yield node_id, item


def _files(outputs: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for node_id, shown in outputs.items():
        if not isinstance(shown, dict):
            continue
        for media_key, items in shown.items():
            if not isinstance(items, list):
                continue
            for item in items:
                if isinstance(item, dict) and isinstance(item.get("filename"), str):
                    yield str(node_id), str(media_key), item


def job_from_row(row: Row[Any]) -> Job:
    """A whole job from a row of `jobs` joined with `job_body`."""
    extra_data = unpack(row.extra_data)
    return _job(
        row,
        graph=unpack(row.graph),
        targets=tuple(from_json(unpack(row.targets))),
        extra_data=from_json(extra_data),
        extra_json=extra_data,
    )


def finished_from_row(row: Row[Any]) -> FinishedJob:
    """An entry of the history from `jobs` joined with `job_body` and `job_result`."""
    result = JobResult(
        state=State(row.state),
        ended_ms=row.ended_ms,
        outputs=from_json(unpack(row.outputs)),
        meta=from_json(unpack(row.meta)),
        messages=from_json(unpack(row.messages)),
        error=None if row.error is None else from_json(unpack(row.error)),
    )
    return FinishedJob(job_from_row(row), result)


LISTED = (
    jobs.c.sequence,
    jobs.c.id,
    jobs.c.state,
    jobs.c.priority,
    jobs.c.number,
    jobs.c.number_is_int,
    jobs.c.fingerprint,
    jobs.c.client_id,
    jobs.c.user_id,
    jobs.c.workflow_id,
    jobs.c.created_ms,
    jobs.c.started_ms,
    jobs.c.ended_ms,
    jobs.c.attempt,
    jobs.c.worker,
    jobs.c.timeout_s,
    jobs.c.workflow_name,
)
"""What a listing needs of `jobs`, in the order in which `listed_from_row` takes it."""


def listed_from_row(row: Sequence[Any]) -> ListedJob:
    """A job of a listing from LISTED with the outputs, the error and the messages of its result, if it has one.

    By position: by name, 25 columns of a hundred rows took 1 ms.
    """
    _sequence, job_id, state, priority, number, is_int, fingerprint, client_id, user, workflow, *others = row
    created_ms, started_ms, ended_ms, attempt, worker, timeout_s, workflow_name, outputs, error, messages = others
    job = Job(
        job_id,
        int(number) if is_int else number,
        b"",
        (),
        fingerprint,
        created_ms,
        client_id=client_id,
        user=user,
        priority=priority,
        state=_STATES[state],
        started_ms=None if state == State.queued.value else started_ms,
        ended_ms=ended_ms,
        attempt=attempt,
        worker=worker,
        timeout_s=timeout_s,
        workflow_name=workflow_name,
    )
    return ListedJob(
        job,
        workflow,
        None if outputs is None else from_json(unpack(outputs)),
        None if error is None else from_json(unpack(error)),
        None if messages is None else (from_json(unpack(messages)) or [None])[-1],
    )


_STATES = {state.value: state for state in State}


def _job(
    row: Row[Any], *, graph: bytes, targets: tuple[str, ...], extra_data: dict[str, Any], extra_json: bytes = b""
) -> Job:
    return Job(
        id=JobId(row.id),
        number=int(row.number) if row.number_is_int else row.number,
        graph=graph,
        targets=targets,
        fingerprint=row.fingerprint,
        created_ms=row.created_ms,
        extra_data=extra_data,
        client_id=row.client_id,
        user=row.user_id,
        priority=row.priority,
        timeout_s=row.timeout_s,
        state=State(row.state),
        started_ms=None if row.state == State.queued.value else row.started_ms,
        ended_ms=row.ended_ms,
        attempt=row.attempt,
        worker=row.worker,
        server_deaths=row.server_deaths,
        worker_deaths=row.worker_deaths,
        workflow_name=row.workflow_name,
        extra_json=extra_json,
        errand=_errand(row),
    )


def _errand(row: Row[Any]) -> Errand | None:
    if row.errand_client_id is None:
        return None
    return Errand(row.errand_worker, row.errand_prompt_id, row.errand_client_id, row.started_ms)


def errand_row(errand: Errand | None) -> dict[str, str | None]:
    """The columns that say where an attempt was sent."""
    return {
        "errand_worker": None if errand is None else errand.worker,
        "errand_prompt_id": None if errand is None else errand.prompt_id,
        "errand_client_id": None if errand is None else errand.client_id,
    }


NO_ERRAND = errand_row(None)


def workflow_id(extra_data: Mapping[str, Any]) -> str | None:
    """The id of the UI workflow that a job was made from: `extra_pnginfo.workflow.id`."""
    value: Any = extra_data
    for key in ("extra_pnginfo", "workflow", "id"):
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value if isinstance(value, str) else None


def _finite(job: Job) -> float:
    try:
        number = float(job.number)
    except (OverflowError, TypeError, ValueError) as error:
        raise JobRejected(job.id, f"number {job.number!r} is not a number: {error}") from error
    if not math.isfinite(number):
        raise JobRejected(job.id, f"number {number} is not finite")
    return number


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _storable(text: str | None) -> str | None:
    """A text that others chose, without what not every database holds: NUL."""
    return text if text is None or "\0" not in text else text.replace("\0", "\ufffd")
