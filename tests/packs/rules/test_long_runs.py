"""Loops of a thousand rounds, a thousand prompts in a row: memory stays flat. `bench/loop_bench.py` has the time."""

import time

import psutil
import pytest

from tests.packs.rules.harness import new_key, node, shown


def worker_memory(server):
    pid = server.get("/api/health").json()["workers"][0]["pid"]
    return psutil.Process(pid).memory_info().rss >> 20


def memory_at_rest(server):
    """The memory once the libraries are there that a process loads beside its first runs."""
    last, now = 0, worker_memory(server)
    while now > last + 1:
        time.sleep(0.7)
        last, now = now, worker_memory(server)
    return now


def loop(rounds):
    return {"5": node("RuleLoop", rounds=rounds, total=0, unique=new_key()), "show": shown("5")}


def test_a_loop_of_a_thousand_rounds(server):
    assert server.text(loop(1000)) == 500500


def test_loops_leave_memory_flat(server):
    for _ in range(3):
        server.text(loop(1000))
    before = memory_at_rest(server)
    for _ in range(8):
        server.text(loop(1000))
    assert worker_memory(server) - before < 30


@pytest.mark.parametrize("count", [1000])
def test_a_thousand_different_prompts_leave_memory_flat(server, count):
    def submit(number):
        key = new_key()
        return server.submit({"1": node("RuleBallast", megabytes=1, key=key), "show": node("RuleShow", value=["1", 0])})

    jobs = [submit(number) for number in range(200)]
    server.wait(jobs[-1])
    if server.keeps:  # an LRU cache of 500 fills first
        jobs = [submit(number) for number in range(400)]
        server.wait(jobs[-1])
    before = memory_at_rest(server)
    jobs = [submit(number) for number in range(count)]
    server.wait(jobs[-1])
    assert worker_memory(server) - before < 100
