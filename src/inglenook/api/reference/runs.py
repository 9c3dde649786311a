"""Prompts, the queue, the history and jobs."""

from __future__ import annotations

from typing import Any

from inglenook.api.reference.shapes import (
    ANYTHING,
    FLAG,
    INTEGER,
    NUMBER,
    OPEN,
    TEXT,
    TEXTS,
    empty,
    in_json,
    list_of,
    map_of,
    nullable,
    ok,
    one_of,
    record,
    ref,
    refused,
    told,
)

_GRAPH = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 16711680}},
    "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
}

_OUTPUTS = map_of(map_of(ANYTHING), "Node id -> key, such as `images` -> what the node shows")

_MILLISECONDS = told(nullable(INTEGER), "Milliseconds since the epoch")

_JOB: dict[str, Any] = {
    "id": TEXT,
    "status": one_of("pending", "in_progress", "completed", "failed", "cancelled"),
    "priority": told(NUMBER, "The number of the job; smaller ones run first"),
    "create_time": INTEGER,
    "outputs_count": INTEGER,
    "previewable_outputs_count": INTEGER,
}
_MAYBE_OF_JOB: dict[str, Any] = {
    "execution_start_time": INTEGER,
    "execution_end_time": INTEGER,
    "preview_output": told(
        OPEN, "What stands for the job: a file, or a text under `content`; with `nodeId`, `mediaType`"
    ),
    "execution_error": told(OPEN, "Data of the event `execution_error`"),
    "workflow_id": TEXT,
}

SCHEMAS: dict[str, Any] = {
    "QueueLength": record(
        "How much there is to do.", exec_info=record("", queue_remaining=told(INTEGER, "Pending and running jobs"))
    ),
    "NodeProblem": record(
        "What is wrong with an input of a node.", type=TEXT, message=TEXT, details=TEXT, extra_info=OPEN
    ),
    "NodeErrors": record(
        "What is wrong with a node.",
        errors=list_of(ref("NodeProblem")),
        dependent_outputs=told(TEXTS, "Output nodes that cannot run because of it"),
        class_type=TEXT,
    ),
    "PromptAccepted": record(
        "A job that is stored and will run.",
        {"repairs": told(list_of(ref("Repair")), "What was changed so that it runs")},
        prompt_id=TEXT,
        number=told(NUMBER, "Smaller ones run first"),
        node_errors=map_of(ref("NodeErrors"), "Outputs that were left out"),
    ),
    "PromptRefusal": record(
        "Why a prompt was not accepted.",
        error=record("", {"extra_info": OPEN, "details": ANYTHING}, type=TEXT, message=TEXT),
        node_errors=map_of(ref("NodeErrors")),
    ),
    "QueueEntry": {
        "type": "array",
        "description": "A job: number, id, graph, extra data, ids of the output nodes to run",
        "prefixItems": [NUMBER, TEXT, OPEN, OPEN, TEXTS],
        "minItems": 5,
        "maxItems": 5,
    },
    "Queue": record(
        "Jobs that run, and jobs that wait in the order in which they will run.",
        queue_running=list_of(ref("QueueEntry")),
        queue_pending=list_of(ref("QueueEntry")),
    ),
    "HistoryEntry": record(
        "A job that has ended.",
        {"task": told(OPEN, "`task_id`, `status` (also `cancelled` and `timeout`), `ended_ms`")},
        prompt=ref("QueueEntry"),
        outputs=_OUTPUTS,
        status=record(
            "",
            status_str=one_of("success", "error"),
            completed=FLAG,
            messages=list_of(
                {
                    "type": "array",
                    "prefixItems": [TEXT, OPEN],
                    "minItems": 2,
                    "maxItems": 2,
                    "description": "Event and its data",
                }
            ),
        ),
        meta=map_of(OPEN),
    ),
    "History": map_of(ref("HistoryEntry"), "Job id -> job, oldest first"),
    "Job": record("A job in a list. Times are milliseconds since the epoch.", _MAYBE_OF_JOB, **_JOB),
    "JobPage": record(
        "A part of the jobs.",
        jobs=list_of(ref("Job")),
        pagination=record("", offset=INTEGER, limit=nullable(INTEGER), total=INTEGER, has_more=FLAG),
    ),
    "WholeJob": record(
        "A job with its workflow.",
        {
            **_MAYBE_OF_JOB,
            "outputs": _OUTPUTS,
            "execution_status": told(OPEN, "`status` of its entry in the history"),
        },
        **_JOB,
        workflow=record("", prompt=OPEN, extra_data=OPEN),
    ),
    "JobState": record(
        "Where a job stands.",
        {"repairs": list_of(ref("Repair"))},
        id=TEXT,
        prompt_id=TEXT,
        status=one_of("pending", "running", "success", "error", "cancelled", "timeout"),
        number=NUMBER,
        create_time=INTEGER,
        execution_start_time=_MILLISECONDS,
        execution_end_time=_MILLISECONDS,
        outputs=_OUTPUTS,
        error=nullable(OPEN),
    ),
    "JobsCancelled": record("", cancelled=told(FLAG, "Whether any was pending or running")),
    "ErrorText": record("An error as ComfyUI tells it here.", {"invalid_ids": list_of(ANYTHING)}, error=TEXT),
}

ANSWERS: dict[str, dict[str, Any]] = {
    "POST /prompt": {
        **ok(ref("PromptAccepted"), "It is stored and will run"),
        **refused(400, schema="PromptRefusal"),
        "409": in_json({"anyOf": [ref("Refusal"), ref("PromptRefusal")]}, "Another job has this id"),
        **refused(413, 429, 503, 507),
    },
    "GET /prompt": ok(ref("QueueLength")),
    "GET /queue": ok(ref("Queue")),
    "POST /queue": {**empty(), **refused(400, 413)},
    "POST /clear": ok(ref("Cleared")),
    "POST /interrupt": {**empty("Done, also when there was nothing to stop"), **refused(400, 413)},
    "POST /free": {**empty("It is done after the running job"), **refused(400, 413)},
    "GET /history": {**ok(ref("History")), **refused(400)},
    "POST /history": {**empty(), **refused(400, 413)},
    "GET /history/{prompt_id}": ok(ref("History"), "The job, or `{}` while it is unknown, pending or running"),
    "GET /jobs": {**ok(ref("JobPage")), **refused(400, schema="ErrorText")},
    "GET /jobs/{job_id}": {**ok(ref("WholeJob")), **refused(404, schema="ErrorText")},
    "POST /jobs/cancel": {**ok(ref("JobsCancelled")), **refused(400, schema="ErrorText"), **refused(413)},
    "POST /jobs/{job_id}/cancel": ok(
        ref("JobsCancelled"), "`cancelled` is false for a job that has ended or is unknown"
    ),
    "GET /prompt/{prompt_id}": {**ok(ref("JobState")), **refused(404)},
}

EXAMPLES: dict[str, Any] = {
    "POST /prompt": {"prompt": _GRAPH, "client_id": "my-client"},
    "POST /queue": {"delete": ["273da8d1-aef2-4f52-bfc6-bf6edebb6c5d"]},
    "POST /history": {"delete": ["273da8d1-aef2-4f52-bfc6-bf6edebb6c5d"]},
    "POST /interrupt": {"prompt_id": "273da8d1-aef2-4f52-bfc6-bf6edebb6c5d"},
    "POST /free": {"unload_models": True, "free_memory": True},
    "POST /jobs/cancel": {"job_ids": ["273da8d1-aef2-4f52-bfc6-bf6edebb6c5d"]},
}
