#!/usr/bin/env python3
"""Node packs under load, on a real server with the tests' pack of rules. Prints JSON lines.

    PYTHONPATH=src python bench/packs_bench.py [--sections overlap,loops,memory,recovery]

overlap: asynchronous nodes of 0.3, 0.4 and 0.5 s in one graph, seconds from the first start to the last end.
loops: CPU of the device process per round of a loop by expansion. memory: growth of the device process over 1000
different prompts, by cache mode. recovery: seconds from the end of a job that killed its process to the end of the
next, in which a new process imports torch and the packs.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.packs.rules.harness import RuleServer, new_key, node, shown

MODES: dict[str, dict[str, Any]] = {
    "classic": {"cache": "classic"},
    "lru 100": {"cache": "lru", "cache_lru_size": 100},
    "none": {"cache": "none"},
}


def say(section: str, **figures: Any) -> None:
    print(json.dumps({"bench": section, **figures}), flush=True)


@contextmanager
def server(**settings: Any) -> Iterator[RuleServer]:
    with tempfile.TemporaryDirectory() as folder:
        running = RuleServer(Path(folder), **settings).start()
        try:
            yield running
        finally:
            running.stop()


def worker(running: RuleServer) -> psutil.Process:
    return psutil.Process(running.until(lambda: running.get("/api/health").json()["workers"][0]["pid"]))


def overlap() -> None:
    with server() as running:
        for _ in range(3):
            graph: dict[str, Any] = {}
            for index, seconds in enumerate((0.3, 0.4, 0.5)):
                graph[str(index)] = node("RuleWait", seconds=seconds, key=new_key())
                graph |= {f"from{index}": shown(str(index), 0), f"to{index}": shown(str(index), 1)}
            outputs = running.run(graph)["outputs"]
            times = [float(output["text"][0]) for output in outputs.values()]
            say("overlap", seconds=round(max(times) - min(times), 3))


def loops() -> None:
    with server() as running:
        process = worker(running)
        for rounds in (100, 250, 1000, 4000):
            figures = []
            for turn in range(4):  # another total each time: nothing comes from the cache
                before = sum(process.cpu_times()[:2])
                running.run({"5": node("RuleLoop", rounds=rounds, total=turn * 1000), "show": shown("5")})
                figures.append((sum(process.cpu_times()[:2]) - before) / rounds * 1e6)
            say("loop", rounds=rounds, cpu_us_per_round=round(sorted(figures[1:])[1], 1))


def memory() -> None:
    for name, settings in MODES.items():
        with server(**settings) as running:
            process = worker(running)
            time.sleep(10)  # the process goes on importing in the background

            def many(count: int, running: RuleServer = running) -> None:
                jobs = [
                    running.submit({"1": node("RuleBallast", megabytes=1, key=new_key()), "show": shown("1")})
                    for _ in range(count)
                ]
                running.wait(jobs[-1])

            many(300)
            before = process.memory_info().rss
            many(1000)
            say("memory", cache=name, prompts=1000, grown_mb=round((process.memory_info().rss - before) / 2**20, 1))


def recovery() -> None:
    with server(interrupt_grace_s=1.0, worker_memory_limit_gb=3.0) as running:
        for how in ("segfault", "os._exit", "grow"):
            job = running.submit({"1": node("RuleHarm", how=how), "show": shown("1")})
            running.wait(job)
            started = time.monotonic()
            running.run({"1": node("RuleText", text=new_key()), "show": shown("1")})
            say("recovery", after=how, seconds_to_the_end_of_the_next_job=round(time.monotonic() - started, 2))


SECTIONS: dict[str, Callable[[], None]] = {"overlap": overlap, "loops": loops, "memory": memory, "recovery": recovery}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", default=",".join(SECTIONS))
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for name in parser.parse_args().sections.split(","):
        SECTIONS[name]()


if __name__ == "__main__":
    main()
