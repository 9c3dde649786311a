"""What one job costs the server process: add, claim and finish of a two-node job, at 1, 16 and 64 clients.

Prints one JSON line: for each number of clients jobs per second and milliseconds of CPU (all threads) per job, medians
of the runs with their spread. The database is a real file, with a commit on disk for every answer.

    python bench/store_bench.py [--jobs 3000] [--runs 5] [--folder DIR] [--profile]
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import itertools
import json
import platform
import pstats
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

from inglenook.jobs import Added, Job, JobId, JobResult, JobStore, State, now_ms

GRAPH = json.dumps(
    {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 255}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
).encode()


def make_job(number: int) -> Job:
    return Job(
        id=JobId(str(uuid.uuid4())),
        number=number,
        graph=GRAPH,
        targets=("2",),
        fingerprint="0" * 64,
        created_ms=now_ms(),
        extra_data={"client_id": "bench", "create_time": now_ms()},
        client_id="bench",
    )


def make_result(job: Job) -> JobResult:
    image = {"filename": f"ComfyUI_temp_{job.number:05}_.png", "subfolder": "", "type": "temp"}
    messages = [
        ["execution_start", {"prompt_id": job.id, "timestamp": 1}],
        ["execution_cached", {"nodes": [], "prompt_id": job.id, "timestamp": 2}],
        ["execution_success", {"prompt_id": job.id, "timestamp": 3}],
    ]
    meta = {"2": {"node_id": "2", "display_node": "2", "parent_node": None, "real_node_id": "2"}}
    return JobResult(State.succeeded, now_ms(), {"2": {"images": [image]}}, meta, messages)


async def client(store: JobStore, numbers: itertools.count[int], jobs: int) -> None:
    for number in itertools.islice(numbers, jobs):
        job = make_job(number)
        assert isinstance(await store.add(job), Added)
        assert await store.claim(job.id, "cpu", 1)
        assert await store.finish(job.id, 1, make_result(job))


async def one_run(folder: Path, clients: int, jobs: int) -> tuple[float, float]:
    """Jobs per second and CPU milliseconds per job."""
    numbers = itertools.count()
    async with JobStore.open(f"sqlite:///{folder}/{uuid.uuid4()}.sqlite") as store:
        await client(store, numbers, 50)
        each = max(1, jobs // clients)
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(client(store, numbers, each) for _ in range(clients)))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        assert await store.history_count() == 50 + each * clients
    return each * clients / wall, cpu * 1000 / (each * clients)


def measure(folder: Path, clients: int, jobs: int, runs: int) -> dict[str, float | list[float]]:
    results = [run_in_loop(one_run(folder, clients, jobs)) for _ in range(runs)]
    rates, cpu = [rate for rate, _ in results], [milliseconds for _, milliseconds in results]
    return {
        "jobs_per_s": round(statistics.median(rates)),
        "jobs_per_s_spread": [round(min(rates)), round(max(rates))],
        "cpu_ms_per_job": round(statistics.median(cpu), 3),
        "cpu_ms_per_job_spread": [round(min(cpu), 3), round(max(cpu), 3)],
    }


def run_in_loop(work: object) -> tuple[float, float]:
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)  # type: ignore[arg-type]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None, help="where the database lies; the temporary folder")
    parser.add_argument("--profile", action="store_true", help="profile the event loop's side at 16 clients")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        if arguments.profile:
            profile = cProfile.Profile()
            profile.runcall(run_in_loop, one_run(Path(folder), 16, arguments.jobs))
            pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)
            return
        clients = {str(count): measure(Path(folder), count, arguments.jobs, arguments.runs) for count in (1, 16, 64)}
    line = {"bench": "store", "machine": platform.platform(), "jobs": arguments.jobs, "runs": arguments.runs}
    print(json.dumps({**line, "clients": clients}))


if __name__ == "__main__":
    main()
