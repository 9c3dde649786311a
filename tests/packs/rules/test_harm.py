"""Nodes that harm their process: each ends its own job, with the cause, and the next job runs."""

import signal

import pytest
from PIL import Image

from tests.packs.rules.harness import RuleServer, new_key, node, shown


@pytest.fixture(scope="module")
def harmed(tmp_path_factory):
    """A server whose nodes are harmful: its limits are tight."""
    running = RuleServer(tmp_path_factory.mktemp("harm"), interrupt_grace_s=1.0, worker_memory_limit_gb=1.5).start()
    yield running
    running.stop()


def harm(how):
    return {"1": node("RuleHarm", how=how), "show": shown("1")}


def next_job_runs(server):
    assert server.text({"1": node("RuleText", text=new_key()), "show": shown("1")}).startswith("key")


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("segfault", "signal 11 (SIGSEGV)"),
        ("os._exit", "exited with code 7"),
        ("grow", "memory"),
        ("sys.exit", ""),
    ],
)
def test_a_node_that_ends_its_process_fails_its_job_with_the_cause(harmed, how, cause):
    error = harmed.error(harm(how))
    assert (error["node_id"], error["node_type"]) == ("1", "RuleHarm")
    assert cause in error["exception_message"]
    if how == "sys.exit":
        assert error["exception_type"] == "SystemExit"
    next_job_runs(harmed)


@pytest.mark.parametrize("how", ["rubbish", "close"])
def test_a_node_that_spoils_its_standard_streams_harms_nobody(harmed, how):
    key = new_key()
    pid = harmed.get("/api/health").json()["workers"][0]["pid"]
    graph = harm(how)
    graph |= {
        "2": node("EmptyImage", width=16, height=16, batch_size=1, color=255),
        "save": node("SaveImage", images=["2", 0], filename_prefix=how),
        "text": node("RuleText", text=key),
        "print": shown("text"),
    }
    entry = harmed.run(graph)
    if how == "close":
        assert entry["outputs"]["print"]["text"] == [f'"{key}"']
        (saved,) = (harmed.base / "output").glob("close*.png")
        with Image.open(saved) as picture:
            assert picture.convert("RGB").getpixel((3, 3)) == (0, 0, 255)
    else:
        assert entry["status"]["messages"][-1][1].get("exception_type", "UnicodeEncodeError") == "UnicodeEncodeError"
    next_job_runs(harmed)
    assert harmed.get("/api/health").json()["workers"][0]["pid"] == pid


@pytest.mark.parametrize("how", ["close", "lend"])
def test_what_a_node_prints_after_streams_were_closed_is_logged_again(harmed, how):
    harmed.run(harm(how))
    if how == "lend":
        assert harmed.text({"1": node("RuleTakeBack", key=new_key()), "show": shown("1")}) == "taken back"
    key = new_key()
    assert harmed.text({"1": node("RulePrint", text=key), "show": shown("1")}) == key
    harmed.until(lambda: f": {key}" in harmed.log and f"error stream: {key}" in harmed.log)


@pytest.mark.parametrize("how", ["hang", "spin"])
def test_a_node_that_hears_nothing_is_ended_by_a_cancel_and_the_grace_time(harmed, how):
    job = harmed.submit(harm(how))
    harmed.until_running(job)
    harmed.post("/interrupt", {"prompt_id": job})
    entry = harmed.wait(job)
    assert entry["status"]["messages"][-1][0] == "execution_interrupted"
    next_job_runs(harmed)


def test_a_node_that_hangs_is_ended_by_its_time_limit(tmp_path):
    server = RuleServer(tmp_path, job_timeout_s=1.0, interrupt_grace_s=0.5).start()
    try:
        error = server.error(harm("hang"))
        assert error["exception_type"] == "inglenook.TimeLimitExceeded"
        assert "longer than 1 s" in error["exception_message"]
        next_job_runs(server)
    finally:
        server.stop()


def test_a_job_killed_in_the_middle_of_an_expansion_is_done_again_once(harmed, tmp_path):
    graph = {
        "5": node("RuleExpandKill", marker=str(tmp_path / "marker")),
        "image": node("EmptyImage", width=8, height=8, batch_size=1, color=0),
        "save": node("SaveImage", images=["image", 0], filename_prefix="once"),
        "show": shown("5"),
    }
    entry = harmed.run(graph)
    assert entry["status"]["status_str"] == "success"
    assert entry["outputs"]["show"]["text"] == ['"alive"']
    saved = sorted(path.name for path in (harmed.base / "output").glob("inner*"))
    assert saved == ["inner_00001_.png"]
    told = sum(len(harmed.get(f"/history/{job}").json()) for job in [entry["prompt"][1]])
    assert told == 1


def test_a_server_killed_in_the_middle_of_an_expansion_does_the_job_again(harmed):
    graph = {"5": node("RuleLoop", rounds=2000, total=0), "show": shown("5")}
    job = harmed.submit(graph)
    harmed.until_running(job)
    harmed.stop(signal.SIGKILL)
    harmed.start()
    assert harmed.wait(job)["outputs"]["show"]["text"] == [str(2000 * 2001 // 2)]
