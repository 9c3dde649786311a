"""How runs end when no node says it: time limits, processes that die, servers that die, classes that nobody has.

Pure functions from what is known to the events and results that clients and the store get.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from inglenook.dispatch.needs import needs
from inglenook.dispatch.run import Run
from inglenook.engine.events import AnyEvent, Cached, Failed, Interrupted, NodeRef, Started, Succeeded
from inglenook.jobs import Job, JobResult, State
from inglenook.workers.worker import Cause, Death

_TIME_LIMIT = "inglenook.TimeLimitExceeded"
_REFUSED = "inglenook.WorkflowRefused"
_OF_DEATH = {Cause.TIMEOUT: _TIME_LIMIT, Cause.MEMORY: "MemoryError"}


def explained(run: Run, events: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
    """The events of a run; an interruption that only its time limit asked for becomes a failure that names it."""
    end, limit_s = events[-1], run.job.timeout_s
    started_ms = run.job.started_ms
    if not isinstance(end, Interrupted) or run.is_cancelled or limit_s is None or started_ms is None:
        return events
    if end.time_ms - started_ms < limit_s * 1000:
        return events
    return [*events[:-1], _failure(end, f"The job ran longer than its limit of {limit_s:g} s.", _TIME_LIMIT)]


def after_death(run: Run, death: Death, now_ms: int) -> list[AnyEvent]:
    """The last events of a run whose process has ended for good; outputs of finished nodes are kept."""
    node = death.node or run.current or NodeRef("", "", None, "")
    class_type = msgspec.json.decode(run.job.graph).get(node.real_id, {}).get("class_type", "")
    outputs = {done.node.node_id: done.output for done in run.done if done.output is not None}
    meta = {done.node.node_id: done.node for done in run.done}
    end = Interrupted(node.real_id, class_type, list(outputs), outputs, meta, now_ms)
    started = _untold_start(run, now_ms)
    if death.cause is Cause.CANCEL or run.is_cancelled:
        return [*started, end]
    if death.cause is Cause.REFUSED:
        return [*started, _failure(end, death.reason, _REFUSED)]
    message = f"The process that ran this job was ended: {death.reason}."
    return [*started, _failure(end, message, _OF_DEATH.get(death.cause, "inglenook.WorkerDied"))]


def _untold_start(run: Run, now_ms: int) -> list[AnyEvent]:
    """How a run began, as far as its process did not come to tell: the job's own start, and nothing from the cache."""
    since_ms = run.job.started_ms or now_ms
    started: list[AnyEvent] = [] if run.started else [Started(since_ms)]
    return started if run.cached else [*started, Cached([], since_ms)]


def without_worker(lacking: Mapping[str, Sequence[str]], now_ms: int) -> list[AnyEvent]:
    """The events of a run that no worker can take. lacking: worker -> node classes that it does not have."""
    nowhere = sorted(set.intersection(*map(set, lacking.values()))) if lacking else []
    if nowhere:
        what = f"No worker has these node classes: {', '.join(nowhere)}."
    else:
        each = "; ".join(f"{name} lacks {', '.join(missing)}" for name, missing in lacking.items())
        what = f"No worker has all node classes: {each}."
    message = f"{what} Install the node pack, then submit the job again."
    end = Interrupted("", "", [], {}, {}, now_ms)
    return [Started(now_ms), Cached([], now_ms), _failure(end, message, "inglenook.MissingNodeType")]


def unstorable(run: Run, reason: str, now_ms: int) -> Failed:
    """The end of a run whose own end cannot be written down."""
    return _failure(Interrupted("", "", [], {}, {}, now_ms), f"The result cannot be stored: {reason}.", "ValueError")


def lost_with_server(job: Job, now_ms: int) -> JobResult:
    """The end of a job that was running each time the server died."""
    message = f"The server died {job.server_deaths} times while this job ran; it was not tried again."
    end = _failure(Interrupted("", "", [], {}, {}, now_ms), message, "inglenook.ServerDied")
    since_ms = job.started_ms or now_ms
    return result_of(Run(job, needs(()), started=Started(since_ms), cached=Cached([], since_ms), end=end))


def result_of(run: Run) -> JobResult:
    """What the store keeps of a run that has ended."""
    end = run.end
    assert end is not None
    return JobResult(
        state=_state(run),
        ended_ms=end.time_ms,
        outputs=end.outputs,
        meta={node: _ref_fields(ref) for node, ref in end.meta.items()},
        messages=run.kept_messages(),
        error={"node_id": end.node_id, "message": end.message.strip()} if isinstance(end, Failed) else None,
    )


def _state(run: Run) -> State:
    match run.end:
        case Succeeded():
            return State.succeeded
        case Interrupted():
            return State.cancelled
        case Failed(exception_type=kind) if kind == _TIME_LIMIT:
            return State.timed_out
        case _:
            return State.failed


def _failure(end: Interrupted, message: str, exception_type: str) -> Failed:
    """A failure that no Python exception describes, in place of `end`."""
    return Failed(
        node_id=end.node_id,
        class_type=end.class_type,
        message=message + "\n",
        exception_type=exception_type,
        traceback=[],
        inputs={},
        executed=end.executed,
        current_outputs=end.executed,
        outputs=end.outputs,
        meta=end.meta,
        time_ms=end.time_ms,
    )


def _ref_fields(ref: NodeRef) -> dict[str, str | None]:
    """A node's ids under ComfyUI's names, as history's `meta` has them."""
    return {
        "node_id": ref.node_id,
        "display_node": ref.display_id,
        "parent_node": ref.parent_id,
        "real_node_id": ref.real_id,
    }
