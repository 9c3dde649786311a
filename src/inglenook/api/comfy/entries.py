"""Jobs as `/queue` and `/history` show them: JSON documents joined from those that the store holds.

`[number, id, graph, extra_data, output ids]` is a job, `{"prompt", "outputs", "status", "meta", "task"}` a run.
"""

from __future__ import annotations

from typing import Any

import orjson

from inglenook.api.comfy.messages import execution_end, with_videos
from inglenook.jobs import EncodedRun, Job, JobId, JobResult, State, extra_json, to_json

SHORT_STATUS = {
    State.queued: "pending",
    State.running: "running",
    State.succeeded: "success",
    State.failed: "error",
    State.cancelled: "cancelled",
    State.timed_out: "timeout",
}
"""Our names of states -> those of the gateway."""


def prompt_parts(job: Job) -> tuple[bytes, ...]:
    """Return the entry of a job in parts that make it when joined; what is large is not copied."""
    before = b'[%b,"%b",' % (orjson.dumps(job.number), escaped(job.id))
    return before, job.graph, b",", extra_json(job), b",%b]" % orjson.dumps(job.targets)


def status(job_id: str, result: JobResult) -> dict[str, Any]:
    """Return how a run ended, in the words of `/history`."""
    return {
        "status_str": "success" if result.state is State.succeeded else "error",
        "completed": result.state is State.succeeded,
        "messages": [execution_end(name, fields, job_id) for name, fields in result.messages if name != "Blocked"],
    }


def shown_outputs(result: JobResult) -> dict[str, Any]:
    """Return what the nodes of a run show, by node id."""
    return {node_id: with_videos(output) for node_id, output in result.outputs.items()}


def show_result(job_id: JobId, result: JobResult) -> bytes:
    """Return a result as its entry of the history has it: the store keeps it so.

    `{"outputs", "status", "meta"}` as with ComfyUI, and `task`: how it ended, time limits and cancellations told apart.
    """
    task = {"task_id": job_id, "status": SHORT_STATUS[result.state], "ended_ms": result.ended_ms}
    shown = {"outputs": shown_outputs(result), "status": status(job_id, result), "meta": result.meta, "task": task}
    return to_json(shown)


def run_entry(run: EncodedRun) -> bytes:
    """Return one entry of the history."""
    return b'{"prompt":[%b,"%b",%b,%b,%b],%b' % (
        orjson.dumps(run.number),
        escaped(run.id),
        run.graph,
        run.extra_data,
        run.targets,
        run.shown[run.shown.index(b"{") + 1 :],
    )


def history_entry(job: Job, result: JobResult) -> bytes:
    """Return one entry of the history, of a run that is still in memory."""
    shown = show_result(job.id, result)
    return b'{"prompt":%b,%b' % (b"".join(prompt_parts(job)), shown[shown.index(b"{") + 1 :])


def history_member(run: EncodedRun) -> bytes:
    """Return a run as a member of the object that `/history` is: its id and its entry."""
    return b'"%b":%b' % (escaped(run.id), run_entry(run))


def escaped(job_id: str) -> bytes:
    """A job's id as it stands between the quotes of a JSON string."""
    return orjson.dumps(job_id)[1:-1]
