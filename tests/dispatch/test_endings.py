"""What history says of runs whose process, or server, did not come to tell how they began."""

import pytest

from inglenook.dispatch import endings
from inglenook.dispatch.needs import needs
from inglenook.dispatch.run import Run
from inglenook.engine.events import Cached, NodeRef, NodeStarted, Started
from inglenook.jobs import Job, JobId, State
from inglenook.workers.worker import Cause, Death

STARTED_MS, END_MS = 1_000, 61_000


def a_run():
    job = Job(JobId("p"), 0, b"{}", ("1",), "f", 1, attempt=1, state=State.running, started_ms=STARTED_MS)
    return Run(job, needs(()))


@pytest.mark.parametrize(
    ("told", "cached", "since_ms"),
    [
        ([], [], STARTED_MS),
        ([Started(1_003)], [], 1_003),
        ([Started(1_003), Cached(["1"], 1_004), NodeStarted(NodeRef("2", "2", None, "2"))], ["1"], 1_003),
    ],
)
@pytest.mark.parametrize(
    ("cause", "end"), [(Cause.TIMEOUT, "Failed"), (Cause.CANCEL, "Interrupted"), (Cause.CRASH, "Failed")]
)
def test_a_run_whose_process_was_killed_began_when_its_job_did(told, cached, since_ms, cause, end):
    run = a_run()
    if told:
        run.record(told)
    run.record(endings.after_death(run, Death(cause, "it hung"), END_MS))
    (first, second, last) = endings.result_of(run).messages
    assert first == ["Started", {"time_ms": since_ms}]
    assert (second[0], second[1]["nodes"]) == ("Cached", cached)
    assert (last[0], last[1]["time_ms"]) == (end, END_MS)


def test_a_run_that_never_began_has_all_messages_too():
    run = a_run()
    run.record(endings.without_worker({}, END_MS))
    assert [name for name, _ in endings.result_of(run).messages] == ["Started", "Cached", "Failed"]
    lost = endings.lost_with_server(run.job, END_MS)
    assert [(name, fields["time_ms"]) for name, fields in lost.messages] == [
        ("Started", STARTED_MS), ("Cached", STARTED_MS), ("Failed", END_MS)
    ]  # fmt: skip
