#!/usr/bin/env python3
"""What the engine itself costs: CPU time per trivial node, and per run of two nodes. Prints one JSON line.

    PYTHONPATH=src python bench/engine_bench.py [--runs 5]

Figures are the median over the runs after one to warm up, with the least and the greatest. `chain_N` is a chain of N
nodes that do next to nothing, events included; `cached` is the same graph again; `parse` and `validate` are the API's
part. `loop` is a recursion by expansion. CPU time of this process, so that other work on the machine counts little.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.context import expansion_prefix
from inglenook.engine.events import AnyEvent, Succeeded
from inglenook.engine.executor import Executor, Run
from inglenook.engine.graph import Graph
from inglenook.engine.implementation import FunctionNode, NodeImplementation
from inglenook.engine.schema import NodeSchema
from inglenook.engine.validation import validate


def loop(text: str, n: int) -> Any:
    """Expand into one more node and a smaller loop."""
    if n == 0:
        return (text,)
    prefix = expansion_prefix()
    return {
        "expand": {
            f"{prefix}step": {"class_type": "Step", "inputs": {"text": text}},
            f"{prefix}loop": {"class_type": "Loop", "inputs": {"text": [f"{prefix}step", 0], "n": n - 1}},
        },
        "result": ([f"{prefix}loop", 0],),
    }


STRING = {"input": {"required": {"text": ["STRING", {}]}}, "output": ["STRING"], "output_name": ["STRING"]}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "Text": STRING,
    "Step": STRING,
    "Loop": {**STRING, "input": {"required": {"text": ["STRING", {}], "n": ["INT", {}]}}},
    "Show": {"input": {"required": {"text": ["STRING", {}]}}, "output": [], "output_node": True},
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Text": lambda text: (text,),
    "Step": lambda text: (text,),
    "Loop": loop,
    "Show": lambda text: {"ui": {"text": [text]}},
}


def implementations() -> dict[str, NodeImplementation]:
    return {
        name: NodeImplementation(NodeSchema.from_info(name, DOCUMENTS[name]), lambda node=FunctionNode(function): node)
        for name, function in FUNCTIONS.items()
    }


def two_nodes(text: str) -> dict[str, Any]:
    return {
        "1": {"class_type": "Text", "inputs": {"text": text}},
        "2": {"class_type": "Show", "inputs": {"text": ["1", 0]}},
    }


def chain(length: int) -> dict[str, Any]:
    graph: dict[str, Any] = {"0": {"class_type": "Text", "inputs": {"text": "a"}}}
    for index in range(1, length - 1):
        graph[str(index)] = {"class_type": "Step", "inputs": {"text": [str(index - 1), 0]}}
    graph["out"] = {"class_type": "Show", "inputs": {"text": [str(length - 2), 0]}}
    return graph


def microseconds(work: Callable[[], object], per: int) -> float:
    started = time.process_time_ns()
    work()
    return (time.process_time_ns() - started) / 1000 / per


class Bench:
    """One executor, one catalog, and the figures."""

    def __init__(self, runs: int) -> None:
        self.runs = runs
        self.executor = Executor(implementations())
        self.catalog = Catalog.from_documents(DOCUMENTS, lambda _: (), lambda *_: False)
        self.figures: dict[str, dict[str, float]] = {}

    def measure(self, name: str, once: Callable[[], float]) -> None:
        once()
        values = sorted(once() for _ in range(self.runs))
        rounded = [round(value, 2) for value in (statistics.median(values), values[0], values[-1])]
        self.figures[name] = dict(zip(("median_us", "min_us", "max_us"), rounded, strict=True))

    def run(self, graph: Graph, root: str) -> None:
        events: list[AnyEvent] = []
        end = self.executor.execute(Run("job", graph, (root,)), events.append, lambda: False)
        assert isinstance(end, Succeeded), end

    def chains(self, length: int) -> None:
        document = chain(length)
        graph = Graph.parse(document)

        def fresh() -> float:
            self.executor.clear()
            return microseconds(lambda: self.run(graph, "out"), length)

        self.measure(f"chain_{length}", fresh)
        self.measure(f"chain_{length}_cached", lambda: microseconds(lambda: self.run(graph, "out"), length))
        self.measure(f"chain_{length}_parse", lambda: microseconds(lambda: Graph.parse(document), length))
        self.measure(f"chain_{length}_validate", lambda: microseconds(lambda: validate(graph, self.catalog), length))

    def pairs(self, count: int = 1000) -> None:
        number = iter(range(10**9))

        def unique() -> float:
            graphs = [Graph.parse(two_nodes(f"text {next(number)}")) for _ in range(count)]
            return microseconds(lambda: [self.run(graph, "2") for graph in graphs], count)

        same = Graph.parse(two_nodes("same"))
        self.measure("two_nodes", unique)
        self.measure(
            "two_nodes_cached", lambda: microseconds(lambda: [self.run(same, "2") for _ in range(count)], count)
        )
        document = two_nodes("same")
        self.measure(
            "two_nodes_parse_and_validate",
            lambda: microseconds(lambda: [validate(Graph.parse(document), self.catalog) for _ in range(count)], count),
        )

    def loops(self, count: int) -> None:
        graph = Graph.parse(
            {
                "5": {"class_type": "Loop", "inputs": {"text": "a", "n": count}},
                "9": {"class_type": "Show", "inputs": {"text": ["5", 0]}},
            }
        )

        def fresh() -> float:
            self.executor.clear()
            return microseconds(lambda: self.run(graph, "9"), count)

        self.measure(f"loop_{count}_per_iteration", fresh)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    bench = Bench(parser.parse_args().runs)
    bench.pairs()
    for length in (100, 1000, 10_000):
        bench.chains(length)
    for count in (100, 1000, 4000):
        bench.loops(count)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count()}
    print(json.dumps({"bench": "engine", **machine, "runs": bench.runs, "figures": bench.figures}))


if __name__ == "__main__":
    main()
