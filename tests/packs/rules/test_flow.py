"""Sections 7 and 9 of the contract: blockers, order, asynchronous nodes, interruption, errors."""

import pytest

from tests.api.live import is_left, new_id, read_until
from tests.packs.rules.harness import new_key, node, of_type, shown


def gate(is_open, message="", source="source"):
    return node("RuleGate", value=[source, 0], open=is_open, message=message)


def test_a_silent_blocker_stops_its_branch_and_the_run_succeeds(server):
    graph = {
        "source": node("RuleText", text=new_key()),
        "gate": gate(False),
        "behind": node("RulePair", a=["gate", 0], b="x"),
        "blocked": shown("behind"),
        "beside": shown("gate", 1),
    }
    messages = server.watch(graph)
    assert of_type(messages, "execution_error") == []
    assert of_type(messages, "execution_success")
    assert [data["node"] for data in of_type(messages, "executed")] == ["beside"]


def test_a_blocker_with_a_message_is_told_once_at_its_first_consumer(server):
    graph = {
        "source": node("RuleText", text=new_key()),
        "gate": gate(False, "no entry"),
        "first": node("RulePair", a=["gate", 0], b="x"),
        "second": node("RulePair", a=["first", 0], b="x"),
        "show": shown("second"),
    }
    messages = server.watch(graph)
    (error,) = of_type(messages, "execution_error")
    assert (error["exception_type"], error["node_id"]) == ("ExecutionBlocked", "first")
    assert "no entry" in error["exception_message"]
    assert of_type(messages, "execution_success")


def test_a_blocker_in_a_list_blocks_its_element_only(server):
    graph = {
        "words": node("RuleList", words="a no b"),
        "gate": node("RuleGateEach", text=["words", 0]),
        "show": node("RuleShowEach", text=["gate", 0]),
    }
    assert server.texts(graph) == ["a", "b"]


def test_a_blocker_in_a_list_blocks_a_node_that_takes_lists(server):
    graph = {
        "words": node("RuleList", words="a no b"),
        "gate": node("RuleGateEach", text=["words", 0]),
        "show": node("RuleWhole", values=["gate", 0], label=""),
        "other": node("RuleWhole", values=["words", 0], label=""),
    }
    assert server.run(graph)["outputs"].keys() == {"other"}


def test_only_what_the_roots_need_runs(server):
    graph = {"1": node("RuleText", text=new_key()), "show": shown("1"), "side": node("RuleFail", text="not needed")}
    assert server.run(graph)["status"]["completed"]


def test_asynchronous_nodes_overlap(server):
    key = new_key()
    meetings = {str(index): node("RuleMeet", key=key, count=3, number=index) for index in range(3)}
    shows = {f"show {index}": shown(str(index)) for index in range(3)}
    outputs = server.run({**meetings, **shows})["outputs"]
    assert [outputs[name]["text"] for name in shows] == [["3"]] * 3


def test_an_asynchronous_node_blocks_only_what_depends_on_it(server):
    key = new_key()
    graph = {
        "wait": node("RuleMeet", key=key, count=2, number=0),
        "other": node("RuleArrive", key=key),
        "end": shown("wait"),
        "meanwhile": shown("other"),
    }
    assert server.run(graph)["outputs"].keys() == {"end", "meanwhile"}


def test_an_asynchronous_node_that_fails_ends_the_run(server):
    error = server.error({"1": node("RuleWait", seconds=0.01, key="fail"), "show": shown("1")})
    assert (error["node_id"], error["exception_type"]) == ("1", "ValueError")


def test_an_error_ends_the_run_and_keeps_what_was_done(server):
    key = new_key()
    graph = {
        "1": node("RuleCount", key=key),
        "done": shown("1"),
        "2": node("RuleFail", text="as asked", after=["done2", 0]),
        "done2": node("RuleText", text="x"),
        "show": shown("2"),
    }
    entry = server.run(graph)
    error = entry["status"]["messages"][-1][1]
    assert error["exception_message"] == "as asked\n"
    assert (error["node_id"], error["node_type"]) == ("2", "RuleFail")
    assert error["current_inputs"]["text"] == ["as asked"]
    assert any("flow.py" in line for line in error["traceback"])
    assert not any(str(server.base) in line or "/tests/packs" in line for line in error["traceback"])
    if server.keeps:
        again = {"1": node("RuleCount", key=key), "show": shown("1")}
        assert server.text(again) == 1


def test_an_interrupt_is_obeyed_within_a_step(server):
    client_id = new_id()
    with server.socket(client_id) as socket:
        job = server.submit(
            {"1": node("RuleSteps", steps=10_000, seconds=600.0), "show": shown("1")}, client_id=client_id
        )
        read_until(socket, lambda message: isinstance(message, dict) and message["type"] == "progress")
        server.post("/interrupt", {"prompt_id": job})
        messages = [message for message in read_until(socket, is_left(job)) if isinstance(message, dict)]
    assert all(data["value"] < 10_000 for data in of_type(messages, "progress"))
    (data,) = of_type(messages, "execution_interrupted")
    assert (data["node_id"], data["node_type"]) == ("1", "RuleSteps")


def test_an_interrupt_ends_a_run_that_waits_for_an_asynchronous_node(server):
    client_id = new_id()
    with server.socket(client_id) as socket:
        graph = {"1": node("RuleWait", seconds=3600.0, key=new_key()), "show": shown("1")}
        job = server.submit(graph, client_id=client_id)
        read_until(socket, lambda message: isinstance(message, dict) and message["type"] == "executing")
    server.post("/interrupt", {"prompt_id": job})
    assert server.wait(job)["status"]["messages"][-1][0] == "execution_interrupted"


@pytest.mark.parametrize("steps", [5])
def test_progress_is_told(server, steps):
    messages = server.watch({"1": node("RuleSteps", steps=steps, seconds=0.01), "show": shown("1")})
    told = [(data["value"], data["max"], data["node"]) for data in of_type(messages, "progress")]
    assert told[-1] == (steps, steps, "1")


def test_everything_runs_in_inference_mode(server):
    assert server.text({"1": node("RuleMode", asynchronous=False), "show": shown("1")}) == "inference True"
