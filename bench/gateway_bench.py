"""What the gateway adds to a submission: `/api/workflow/submit` against `/prompt`, in turn. Prints JSON lines.

    python bench/gateway_bench.py [--requests 400]

All kinds take the same graph of ten nodes on one connection of one server whose queue is paused, so that nothing but
the submission is measured. `added_ms` is the difference of the medians, `cpu_ms` what the server computes for one;
`parameters` sets two values of the graph as well.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from server_bench import cpu_s, running

KINDS = ("prompt", "submit", "parameters")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=400)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder)) as server,
        httpx.Client(base_url=server.url, timeout=30) as http,
    ):
        server.wait_ready()
        http.post("/api/queue/pause").raise_for_status()
        measure(http, 50, KINDS)
        cpu = {kind: cpu_of(server.pid, http, options.requests, kind) for kind in KINDS}
        report(measure(http, options.requests, KINDS), cpu)


def graph(color: int) -> dict[str, Any]:
    """A picture that is scaled eight times."""
    nodes: dict[str, Any] = {
        "0": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": color}}
    }
    for index in range(1, 9):
        nodes[str(index)] = {
            "class_type": "ImageScale",
            "inputs": {
                "image": [str(index - 1), 0],
                "upscale_method": "bicubic",
                "width": 64,
                "height": 64,
                "crop": "disabled",
            },
        }
    nodes["9"] = {"class_type": "PreviewImage", "inputs": {"images": ["8", 0]}}
    return nodes


def cpu_of(pid: int, http: httpx.Client, count: int, kind: str) -> float:
    """Milliseconds of CPU that the server takes for one submission."""
    before = cpu_s(pid)
    measure(http, count, (kind,))
    return (cpu_s(pid) - before) / count * 1000


def measure(http: httpx.Client, count: int, kinds: Sequence[str]) -> dict[str, list[float]]:
    """Milliseconds of each kind of submission, taken in turn so that whatever disturbs one disturbs all."""
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    for color in range(count):
        bodies = {
            "prompt": ("/prompt", {"prompt": graph(color)}),
            "submit": ("/api/workflow/submit", {"workflow": graph(color)}),
            "parameters": ("/api/workflow/submit", {"workflow": graph(0), "params": {"0.color": color, "0.width": 32}}),
        }
        for kind in kinds:
            path, body = bodies[kind]
            content = json.dumps(body)
            started = time.perf_counter()
            reply = http.post(path, content=content)
            took[kind].append((time.perf_counter() - started) * 1000)
            reply.raise_for_status()
    http.post("/api/queue/clear").raise_for_status()
    return took


def report(took: dict[str, list[float]], cpu: dict[str, float]) -> None:
    """Print a line for each kind."""
    base = statistics.median(took["prompt"])
    for kind, times in took.items():
        p50 = statistics.median(times)
        line = {
            "bench": "gateway",
            "kind": kind,
            "requests": len(times),
            "p50_ms": round(p50, 3),
            "p95_ms": round(statistics.quantiles(times, n=20)[-1], 3),
            "added_ms": round(p50 - base, 3),
            "ratio": round(p50 / base, 2),
            "cpu_ms": round(cpu[kind], 3),
            "load": round(os.getloadavg()[0], 1),
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
