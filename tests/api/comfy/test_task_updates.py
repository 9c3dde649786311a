"""`task_update` messages, rendered alone and heard from a real server."""

import json

import orjson
import pytest

from inglenook.api.comfy.task_updates import TaskUpdates, nodes_to_run
from inglenook.engine import events
from inglenook.engine.events import NodeRef
from inglenook.jobs import JobResult, State
from tests.api.comfy.test_hub import a_run, node
from tests.api.live import blocking_graph, new_color, new_id, picture_graph, read_for, read_until

CHAIN = orjson.dumps(
    {
        "1": {"class_type": "A", "inputs": {}},
        "2": {"class_type": "A", "inputs": {"x": ["1", 0]}},
        "3": {"class_type": "A", "inputs": {"x": ["2", 0], "y": ["1", 0], "z": ["gone", 0], "list": ["a", "b"]}},
        "4": {"class_type": "A", "inputs": {"x": ["3", 0]}},
        "unused": {"class_type": "A", "inputs": {}},
    }
)


def told(outgoing):
    return None if outgoing is None else json.loads(outgoing.payload)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_the_nodes_of_a_job_are_those_that_its_targets_need():
    assert nodes_to_run(CHAIN, ["3", "missing"]) == {"1", "2", "3"}


def test_progress_is_the_share_of_the_job_and_never_falls():
    clock = Clock()
    updates = TaskUpdates(clock)
    run = a_run(graph=CHAIN, targets=("4",))
    seen = []
    for event in (
        events.Cached(["1", "unused"], 1),
        events.NodeStarted(node(2)),
        events.Progress(node(2), 1, 2),
        events.NodeStarted(node(2)),
        events.NodeDone(NodeRef("2.0.0.9", "2", "2", "2"), None),
        events.NodeDone(node(2), None),
        events.Progress(node(3), 5, 0),
        events.Progress(node(3), 7, float("nan")),
        events.Progress(node(3), 70, 7),
        events.NodeDone(node(3), None),
        events.NodeDone(node(4), None),
    ):
        clock.now += 1
        seen.append(told(updates.went_on(run, [event])))
    assert [update["progress"] for update in seen] == [25, 25, 37.5, 37.5, 37.5, 50, 50, 50, 75, 75, 99.9]
    assert seen[2] == {
        "type": "task_update",
        "task_id": "p",
        "status": "running",
        "progress": 37.5,
        "node": "2",
        "timestamp": seen[2]["timestamp"],
    }


def test_a_job_with_many_steps_is_told_five_times_a_second():
    clock = Clock()
    updates = TaskUpdates(clock)
    run = a_run(graph=CHAIN, targets=("4",))
    count = 0
    for step in range(1000):
        clock.now = step / 1000
        count += updates.went_on(run, [events.Progress(node(2), step, 1000)]) is not None
    assert count == 5
    assert updates.went_on(run, [events.Started(1)]) is None  # nothing that would be seen


@pytest.mark.parametrize(
    ("state", "status", "error"),
    [
        (State.succeeded, "success", None),
        (State.failed, "error", {"node_id": "3", "message": "no"}),
        (State.cancelled, "cancelled", None),
        (State.timed_out, "timeout", {"node_id": "3", "message": "late"}),
    ],
)
def test_the_end_has_outputs_and_what_went_wrong(state, status, error):
    run = a_run(graph=CHAIN, state=state)
    run.result = JobResult(state, 1, {"9": {"images": [], "animated": [True]}}, error=error)
    update = told(TaskUpdates().ended(run))
    assert update["status"] == status
    assert update["progress"] == (100 if status == "success" else 0)
    assert update["outputs"] == {"9": {"images": [], "animated": [True]}}
    assert update.get("error") == error


# From a server


def updates_of(messages, task_id):
    return [message for message in messages if message["type"] == "task_update" and message["task_id"] == task_id]


def is_update(task_id, *statuses):
    return lambda message: (
        message["type"] == "task_update"
        and (message["task_id"], message["status"]) in {(task_id, status) for status in statuses}
    )


def test_a_plain_socket_hears_what_becomes_of_every_job(live):
    client_id = new_id()
    with live.socket() as plain, live.socket(client_id) as owner:
        job_id = live.submit(picture_graph(new_color()), client_id=client_id)
        updates = updates_of(read_until(plain, is_update(job_id, "success", "error")), job_id)
        assert list(dict.fromkeys(update["status"] for update in updates)) == ["pending", "running", "success"]
        assert updates[-1]["outputs"] == live.wait(job_id)["outputs"]
        assert [message["type"] for message in read_for(owner) if message["type"] == "task_update"] == []


def test_an_editor_hears_no_task_updates(live):
    with live.socket() as editor:
        editor.send(json.dumps({"type": "feature_flags", "data": {}}))
        read_until(editor, lambda message: message["type"] == "feature_flags")
        live.run(picture_graph(new_color()))
        assert "task_update" not in [message["type"] for message in read_for(editor)]


def test_jobs_that_are_stopped_or_taken_out_of_the_queue_are_told_as_cancelled(live):
    with live.socket() as plain:
        running = live.submit(blocking_graph(new_color()), client_id=new_id())
        read_until(plain, is_update(running, "running"))
        waiting = live.submit(picture_graph(1), client_id=new_id())
        live.post("/queue", {"delete": [waiting]})
        update = read_until(plain, is_update(waiting, "cancelled"))[-1]
        assert update["outputs"] == {}
        live.post("/interrupt", {"prompt_id": running})
        read_until(plain, is_update(running, "cancelled"))


def test_a_job_that_fails_is_told_with_its_error(live):
    with live.socket() as plain:
        graph = picture_graph(3, sink="SaveImage", filename_prefix="../../out")
        update = read_until(plain, is_update(live.submit(graph), "error", "success"))[-1]
        assert update["status"] == "error"
        assert update["error"]["node_id"] == "2"
        assert update["error"]["message"]
