"""Loops of a thousand rounds, hundreds of prompts in a row: memory stays flat. `bench/packs_bench.py` has the time."""

import itertools
import time

import psutil
import pytest

from tests.packs.rules.harness import RuleServer, new_key, node, shown

_totals = itertools.count(0, 1_000_000)


def worker_memory(server):
    """Megabytes of the device process, once the libraries are there that it loads beside its first runs."""
    process = psutil.Process(server.get("/api/health").json()["workers"][0]["pid"])
    last, now = 0, process.memory_info().rss >> 20
    while now > last + 1:
        time.sleep(0.3)
        last, now = now, process.memory_info().rss >> 20
    return now


def loop(rounds):
    """A loop that no cache knows: the first total is another each time."""
    return {"5": node("RuleLoop", rounds=rounds, total=next(_totals)), "show": shown("5")}


def test_a_loop_of_a_thousand_rounds(server):
    total = next(_totals)
    assert server.text({"5": node("RuleLoop", rounds=1000, total=total), "show": shown("5")}) == total + 500500


def test_loops_leave_memory_flat(server):
    for _ in range(2):
        server.text(loop(1000))
    before = worker_memory(server)
    for _ in range(4):
        server.text(loop(1000))
    assert worker_memory(server) - before < 30


@pytest.mark.parametrize("count", [400])
def test_hundreds_of_different_prompts_leave_memory_flat(server, count):
    def submit(number):
        key = new_key()
        return server.submit({"1": node("RuleBallast", megabytes=1, key=key), "show": node("RuleShow", value=["1", 0])})

    jobs = [submit(number) for number in range(150)]  # more than an LRU cache of 100 holds
    server.wait(jobs[-1])
    before = worker_memory(server)
    jobs = [submit(number) for number in range(count)]
    server.wait(jobs[-1])
    assert worker_memory(server) - before < 30


def test_when_memory_is_short_results_go_and_memory_stays_flat(tmp_path):
    server = RuleServer(tmp_path, cache="ram", cache_ram_gb=100_000).start()  # never enough
    try:
        key = new_key()
        graph = {"1": node("RuleCount", key=key), "show": shown("1")}
        assert server.text(graph) == 1
        assert server.text(graph) == 2
        before = worker_memory(server)
        for _ in range(30):
            server.run({"1": node("RuleBallast", megabytes=20, key=new_key()), "show": shown("1")})
        assert worker_memory(server) - before < 60
    finally:
        server.stop()
