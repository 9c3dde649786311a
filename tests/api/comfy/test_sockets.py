"""The WebSocket of a real server: order of messages, addressing, late and slow clients."""

import json
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.api.live import (
    blocking_graph,
    is_left,
    new_color,
    new_id,
    picture_graph,
    read_for,
    read_until,
    working_graph,
)


def kinds(messages):
    return [message["type"] if isinstance(message, dict) else "binary" for message in messages]


def test_the_first_message_is_the_status_with_the_sid(live):
    with live.socket("me") as websocket:
        first = json.loads(websocket.recv(timeout=60))
        assert first["type"] == "status"
        assert first["data"]["sid"] == "me"
        assert isinstance(first["data"]["status"]["exec_info"]["queue_remaining"], int)
    with live.socket() as websocket:
        assert len(json.loads(websocket.recv(timeout=60))["data"]["sid"]) == 32


def test_a_run_is_told_in_comfyuis_order_and_the_history_has_it_at_the_end(live):
    client_id = new_id()
    with live.socket(client_id) as websocket:
        websocket.recv(timeout=60)
        job_id = live.submit(picture_graph(new_color()), client_id=client_id)
        seen = read_until(websocket, lambda message: message["type"] == "execution_success")
        assert live.get(f"/history/{job_id}").json()[job_id]["status"]["completed"]
        seen += read_until(websocket, is_left(job_id))
    without_state = [kind for kind in kinds(seen) if kind != "progress_state"]
    assert without_state == [
        "status",
        "status",
        "execution_start",
        "execution_cached",
        "executing",
        "executing",
        "executed",
        "execution_success",
        "status",
        "executing",
    ]
    executing = [message["data"] for message in seen if message["type"] == "executing"]
    assert executing[0] == {"node": "1", "display_node": "1", "prompt_id": job_id}
    executed = next(message["data"] for message in seen if message["type"] == "executed")
    assert executed["output"]["images"][0]["type"] == "temp"
    states = [message["data"]["nodes"] for message in seen if message["type"] == "progress_state"]
    assert {node: entry["state"] for node, entry in states[-1].items()} == {"1": "finished", "2": "finished"}


def test_a_cached_run_tells_the_root_again_and_no_executing(live):
    client_id = new_id()
    graph = picture_graph(new_color())
    live.run(graph)
    with live.socket(client_id) as websocket:
        websocket.recv(timeout=60)
        job_id = live.submit(graph, client_id=client_id)
        seen = read_until(websocket, is_left(job_id))
    cached = next(message["data"]["nodes"] for message in seen if message["type"] == "execution_cached")
    assert cached == ["1", "2"]
    assert kinds(seen).count("executed") == 1
    assert kinds(seen).count("executing") == 1  # the final one


def test_others_hear_the_status_and_nothing_of_the_run(live):
    client_id = new_id()
    with live.socket(client_id), live.socket(new_id()) as other:
        other.recv(timeout=60)
        live.run(picture_graph(new_color()), client_id=client_id)
        seen = read_until(other, is_status_of_an_empty_queue) + read_for(other)
    assert set(kinds(seen)) == {"status"}


def is_status_of_an_empty_queue(message):
    return message["type"] == "status" and message["data"]["status"]["exec_info"]["queue_remaining"] == 0


def test_jobs_without_client_are_told_to_plain_sockets_and_hidden_from_editors(live):
    with live.socket() as plain, live.socket(new_id()) as named, live.socket() as editor:
        for websocket in (plain, named, editor):
            websocket.recv(timeout=60)
        editor.send(json.dumps({"type": "feature_flags", "data": {}}))
        assert json.loads(editor.recv(timeout=60))["type"] == "feature_flags"
        job_id = live.submit(picture_graph(new_color()))
        assert "execution_success" in kinds(read_until(plain, is_left(job_id)))
        for websocket in (named, editor):
            told = {kind for kind in kinds(read_for(websocket)) if not kind.startswith("assets.")}  # of the first scan
            assert told <= {"status", "progress_state", "progress"}


def test_a_failing_node_is_told_with_all_its_fields(live):
    client_id = new_id()
    graph = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 5}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "../../out"}},
    }
    with live.socket(client_id) as websocket:
        job_id = live.submit(graph, client_id=client_id)
        seen = read_until(websocket, is_left(job_id))
    error = next(message["data"] for message in seen if message["type"] == "execution_error")
    assert error["node_id"] == "2"
    assert error["node_type"] == "SaveImage"
    assert error["exception_message"].endswith("\n")
    assert error["exception_type"]
    assert isinstance(error["traceback"], list)
    assert error["current_inputs"]["filename_prefix"] == ["../../out"]
    assert "1" in error["executed"]
    assert "execution_success" not in kinds(seen)
    history = live.get(f"/history/{job_id}").json()[job_id]
    assert history["status"]["messages"][-1][0] == "execution_error"


def test_who_comes_after_the_end_is_told_it(live):
    client_id = new_id()
    job_id = live.submit(picture_graph(new_color()), client_id=client_id)
    live.wait(job_id)
    with live.socket(client_id) as websocket:
        seen = read_until(websocket, is_left(job_id))
    assert kinds(seen) == ["status", "executed", "execution_success", "executing"]


@pytest.mark.parametrize(("code", "is_told_again"), [(1000, False), (1001, True)], ids=["goodbye", "page left"])
def test_who_heard_the_end_and_said_goodbye_is_not_told_it_again(live, code, is_told_again):
    """Scripts open a socket for each job under one id, and some take any end for that of their own job."""
    sid = new_id()
    with live.socket(sid) as first:
        prompt_id = live.submit(picture_graph(41), client_id=sid)
        read_until(first, is_left(prompt_id))
        first.close(code)
    with live.socket(sid) as second:
        if is_told_again:
            assert "execution_success" in kinds(read_until(second, is_left(prompt_id)))
        else:
            assert "execution_success" not in kinds(read_for(second))


def test_who_comes_in_the_middle_is_told_what_happened_so_far(live):
    client_id = new_id()
    job_id = live.submit(blocking_graph(new_color()), client_id=client_id)
    live.until_running(job_id)
    with live.socket(client_id) as websocket:
        seen = read_until(websocket, lambda message: message["type"] == "executing")
        assert kinds(seen)[0] == "status"
        assert "execution_start" in kinds(seen)
        live.post("/interrupt", {"prompt_id": job_id})
        seen = read_until(websocket, is_left(job_id))
        assert "execution_interrupted" in kinds(seen)


def test_a_second_submission_of_a_finished_job_repeats_its_end(live):
    client_id, job_id = new_id(), new_id()
    body = {"prompt_id": job_id, "client_id": client_id}
    graph = picture_graph(new_color())
    with live.socket(client_id) as websocket:
        live.submit(graph, **body)
        read_until(websocket, is_left(job_id))
        live.submit(graph, **body)
        again = read_until(websocket, is_left(job_id))
    assert [kind for kind in kinds(again) if kind != "status"] == ["executed", "execution_success", "executing"]


def test_a_second_client_that_submits_the_running_job_hears_its_end_too(live):
    first, second, job_id = new_id(), new_id(), new_id()
    graph = working_graph(new_color(), nodes=60)
    with live.socket(first) as one, live.socket(second) as two:
        live.submit(graph, prompt_id=job_id, client_id=first)
        live.submit(graph, prompt_id=job_id, client_id=second)
        assert "execution_success" in kinds(read_until(two, is_left(job_id)))
        assert "execution_success" in kinds(read_until(one, is_left(job_id)))


def test_the_newest_socket_of_an_id_hears_and_an_old_one_that_closes_does_not_silence_it(live):
    client_id = new_id()
    with live.socket(client_id) as old, live.socket(client_id) as new:
        old.recv(timeout=60)
        new.recv(timeout=60)
        old.close()
        job_id = live.submit(picture_graph(new_color()), client_id=client_id)
        assert "execution_success" in kinds(read_until(new, is_left(job_id)))


def test_images_for_the_socket_arrive_as_png_frames(live):
    client_id = new_id()
    with live.socket(client_id) as websocket:
        graph = picture_graph(new_color(), sink="SaveImageWebsocket")
        job_id = live.submit(graph, client_id=client_id)
        seen = read_until(websocket, is_left(job_id))
    (frame,) = [message for message in seen if isinstance(message, bytes)]
    assert struct.unpack_from(">II", frame) == (1, 2)
    assert frame[8:].startswith(b"\x89PNG")


def test_feature_flags_are_answered_once_and_first_only(live):
    with live.socket(new_id()) as websocket:
        websocket.recv(timeout=60)
        websocket.send("not json")
        websocket.send(json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}}))
        assert json.loads(websocket.recv(timeout=60))["data"] == live.get("/features").json()
        websocket.send(json.dumps({"type": "feature_flags", "data": {}}))
        assert "feature_flags" not in kinds(read_for(websocket))


@pytest.mark.parametrize(
    "junk", ["", "{}", "[]", "7", '{"type": 5}', b"\x00\xff", '{"type": "execute"}', "x" * 100_000]
)
def test_junk_on_the_socket_is_ignored(live, junk):
    client_id = new_id()
    with live.socket(client_id) as websocket:
        websocket.send(junk)
        job_id = live.submit(picture_graph(1), client_id=client_id)
        read_until(websocket, is_left(job_id))


def test_a_plain_request_for_the_socket_is_refused(live):
    assert live.get("/ws").status_code == 400


def test_a_socket_of_a_foreign_page_is_refused(live):
    from websockets.sync.client import connect

    with (
        pytest.raises((InvalidStatus, ConnectionClosed)),
        connect(f"ws://127.0.0.1:{live.port}/ws", origin="http://evil.example", open_timeout=60) as websocket,
    ):
        websocket.recv(timeout=60)


def test_a_reader_that_stops_does_not_delay_others(live):
    deaf_id, client_id = new_id(), new_id()
    deaf = live.socket(deaf_id, close_timeout=0.1)  # it would not hear the answer to its close either
    with deaf, live.socket(client_id) as websocket, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda color: live.submit(picture_graph(color), client_id=deaf_id), range(40)))
        job_id = live.submit(picture_graph(new_color()), client_id=client_id)
        read_until(websocket, is_left(job_id))
