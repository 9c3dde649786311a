"""The stream of a task: complete, resumable, and ended with the task."""

import json
import signal

import httpx
import pytest

from tests.api.gateway.test_tasks import ended, submit
from tests.api.live import LiveServer, new_color, new_id, picture_graph, working_graph

PASSING = ("progress", "text")


def parsed(text):
    """The events in a part of a stream; an event that was cut is none."""
    events = []
    for block in text.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if fields:
            data = json.loads(fields["data"])
            assert (fields["id"], fields["event"]) == (data["id"], data["event"])
            events.append(data)
    return events


def received(live, task_id, *, last=None, most_bytes=None):
    """Read a stream to its end, or until so many bytes have come; then the connection is cut."""
    headers = {} if last is None else {"Last-Event-ID": last}
    text = b""
    with live._http.stream("GET", f"/api/task/{task_id}/events", headers=headers) as reply:
        if reply.status_code == 204:
            return None
        assert reply.headers["content-type"].startswith("text/event-stream")
        for piece in reply.iter_raw():
            text += piece
            if most_bytes is not None and len(text) >= most_bytes:
                break
    return parsed(text[:most_bytes].decode(errors="replace"))


def stored(live, task_id):
    reply = live.get(f"/api/task/{task_id}/events", headers={"Accept": "application/json"})
    assert reply.status_code == 200, reply.text
    return reply.json()


def kept(events):
    return [event for event in events if event["event"] not in PASSING]


def test_a_stream_cut_fifty_times_has_every_stored_event_once(live):
    task_id = submit(live, working_graph(new_color(), nodes=300, side=96))
    events, last, cuts = [], None, 0
    while True:
        more = received(live, task_id, last=last, most_bytes=450 + 100 * (cuts % 7) if cuts < 50 else None)
        cuts += 1
        if more is None:
            break
        events += more
        last = events[-1]["id"] if events else None
        if events and events[-1].get("status") in ("success", "error"):
            break
    assert cuts >= 50
    ended(live, task_id)
    assert kept(events) == stored(live, task_id)
    assert received(live, task_id, last=last) is None


def test_a_stream_tells_the_life_of_a_task_in_order(live):
    task_id = submit(live, picture_graph(new_color(), sink="SaveImage", filename_prefix=new_id()))
    events = received(live, task_id)
    names = [event["event"] for event in kept(events)]
    assert names == ["state", "state", "cached", "node_started", "node_done", "node_started", "node_done", "state"]
    assert [event["status"] for event in events if event["event"] == "state"] == ["pending", "running", "success"]
    assert events[1]["attempt"] == 1
    assert events[-2]["results"][0]["kind"] == "image"
    numbers = [int(event["id"].split("-")[1]) for event in events]
    assert numbers == sorted(set(numbers))
    assert stored(live, task_id) == kept(events)


async def test_a_task_that_is_cancelled_before_it_ran_ends_its_stream(idle):
    task_id = (await idle.http.post("/api/workflow/submit", json=picture_graph())).json()["task_id"]
    waiting = await idle.http.get(f"/api/task/{task_id}/events", headers={"Accept": "application/json"})
    assert [event["status"] for event in waiting.json()] == ["pending"]
    await idle.http.post(f"/api/task/{task_id}/cancel")
    reply = await idle.http.get(f"/api/task/{task_id}/events")
    assert [event["status"] for event in parsed(reply.text)] == ["cancelled"]


def test_a_failed_task_tells_the_error_at_its_end(live):
    graph = picture_graph(1, sink="SaveImage", filename_prefix="../out")
    last = received(live, submit(live, graph))[-1]
    assert (last["status"], last["error"]["node_id"]) == ("error", "2")


@pytest.mark.parametrize("last", ["x", "1", "-5", "abc-", "0-99999999999999999999", "é", "ffff-3"])
def test_an_id_from_another_life_begins_with_the_state(live, last):
    task_id = submit(live, picture_graph(2))
    ended(live, task_id)
    events = received(live, task_id, last=last.encode())
    assert (events[0]["event"], events[0]["restarted"]) == ("state", True)
    assert kept(events[1:]) == stored(live, task_id)


def test_events_are_there_after_a_restart(tmp_path):
    server = LiveServer(tmp_path).start()
    done = submit(server, picture_graph(1))
    ended(server, done)
    before = stored(server, done)
    server.post("/api/queue/pause")
    waiting = submit(server, picture_graph(2))
    with httpx.stream("GET", f"{server.url}/api/task/{waiting}/events", timeout=60) as stream:
        pieces = stream.iter_text()
        text = next(pieces)
        assert server.stop(signal.SIGTERM) == 0
        events = parsed(text + "".join(pieces))
    assert [event["status"] for event in events] == ["pending"]
    server.start()
    assert stored(server, done) == before
    server.post("/api/queue/resume")
    again = received(server, waiting, last=events[-1]["id"])
    assert (again[0]["event"], again[0]["restarted"]) == ("state", True)
    assert again[-1]["status"] == "success"
    server.stop()
