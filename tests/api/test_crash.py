"""SIGKILL of the server and of the device process in the middle of work: every accepted job ends once, in order."""

import os
import signal
import threading
import time

import pytest

from tests.api.live import LiveServer, is_alive, is_left, new_id, picture_graph, read_until, working_graph


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    server = LiveServer(tmp_path_factory.mktemp("crash"), flushed=True)
    yield server
    if server.process is not None:
        server.stop()


@pytest.fixture
def server(shared):
    """One for all tests, which all jobs of the tests before have left."""
    if shared.process is None:
        shared.start()
    shared.until_idle()
    return shared


def saved_files(server):
    return sorted(path.name for path in (server.base / "output").rglob("*") if path.is_file())


def outputs_in_history(server, ids):
    """The files that all finished jobs name, once these and all others have ended with success.

    A job can be accepted although its client never heard so, when the server died before the reply.
    """
    for job_id in ids:
        server.wait(job_id)
    server.until(lambda: server.get("/prompt").json()["exec_info"]["queue_remaining"] == 0)
    entries = server.get("/history").json()
    assert {entry["status"]["status_str"] for entry in entries.values()} == {"success"}
    images = [image for entry in entries.values() for output in entry["outputs"].values() for image in output["images"]]
    return sorted(image["filename"] for image in images if image["type"] == "output")


def worker_pid(server):
    """The pid of the device process; between two of them there is none."""
    return server.until(lambda: server.get("/api/health").json()["workers"][0]["pid"])


def pending(server):
    return [item[1] for item in server.get("/queue").json()["queue_pending"]]


def kill_worker(server):
    """Whether there was a process to kill; for a moment the server may name one that has just died."""
    try:
        os.kill(worker_pid(server), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def test_the_owner_of_a_job_whose_process_was_killed_is_told_that_it_begins_anew(server):
    client_id = new_id()
    with server.socket(client_id) as websocket:
        job_id = server.submit(working_graph(7, nodes=60), client_id=client_id)
        read_until(websocket, lambda message: message["type"] == "executing")
        assert kill_worker(server)
        seen = read_until(websocket, is_left(job_id))
    told = next(message["data"] for message in seen if message["type"] == "notification")
    assert "SIGKILL" in told["value"]
    assert told["id"] == job_id
    kinds = [message["type"] for message in seen]
    assert kinds.index("notification") < kinds.index("execution_start") < kinds.index("execution_success")


def test_a_server_killed_at_work_ends_every_accepted_job_once_and_in_order(server):
    accepted, stop = [], threading.Event()

    def submit():
        color = 0
        while not stop.is_set():
            color += 1
            try:
                accepted.append(server.submit(picture_graph(color, sink="SaveImage", size=128, filename_prefix="k")))
            except Exception:
                if server.process is None:
                    time.sleep(0.05)

    thread = threading.Thread(target=submit)
    thread.start()
    try:
        for pause_s in (0.02, 0.07):
            at_least = len(accepted) + 20
            server.until(lambda at_least=at_least: len(accepted) >= at_least)
            time.sleep(pause_s)
            server.stop(signal.SIGKILL)
            server.start()
    finally:
        stop.set()
        thread.join()
    assert outputs_in_history(server, accepted) == saved_files(server)
    history = [job_id for job_id in server.get("/history").json() if job_id in set(accepted)]
    assert history == accepted


def test_a_device_process_killed_at_work_costs_no_job_and_leaves_no_file(server):
    server.run(picture_graph(1))
    before = len(saved_files(server))
    ids = [server.submit(picture_graph(color, sink="SaveImage", size=512, filename_prefix="k")) for color in range(20)]
    for count in (4, 10):
        server.until(lambda count=before + count: len(saved_files(server)) >= count)
        server.until(lambda: kill_worker(server))
    assert outputs_in_history(server, ids) == saved_files(server)
    assert [job_id for job_id in server.get("/history").json() if job_id in set(ids)] == ids


def test_the_device_process_ends_with_its_server(server):
    pid = worker_pid(server)
    server.stop(signal.SIGKILL)
    server.until(lambda: not is_alive(pid))


def test_sigterm_ends_in_order_and_keeps_what_waits(server):
    running = server.submit(working_graph(1, nodes=30))
    waiting = server.submit(picture_graph(2))
    server.until(lambda: running not in pending(server))
    assert server.stop(signal.SIGTERM) == 0
    server.start()
    assert server.wait(running)["status"]["status_str"] == "success"
    assert server.wait(waiting)["status"]["status_str"] == "success"


def test_a_second_server_on_the_same_folder_ends_with_a_clear_message(server):
    other = LiveServer(server.base)
    other._log = server.base / "other.log"
    with pytest.raises(AssertionError):
        other.start()
    assert "another server" in other.log
    assert server.get("/prompt").status_code == 200


def test_jobs_and_their_numbers_survive_an_orderly_restart(server):
    job_id = server.submit(picture_graph(1), prompt_id=new_id())
    number = server.wait(job_id)["prompt"][0]
    server.stop()
    server.start()
    assert server.get(f"/history/{job_id}").json()[job_id]["prompt"][0] == number
    assert server.post("/prompt", {"prompt": picture_graph(2)}).json()["number"] == number + 1
    assert server.submit(picture_graph(1), prompt_id=job_id) == job_id
