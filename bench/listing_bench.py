"""What questions about many stored jobs cost the server: pages of `/history` and `/api/jobs`, `/queue`, single jobs.

Fills a database with finished jobs (100,000 by default, of two nodes, of one user or of several) and asks the app
itself, over its ASGI interface: no client, no socket. Prints one JSON line for each question: median and 90th
percentile of the milliseconds until the answer is whole, CPU milliseconds (all threads), bytes.

    python bench/listing_bench.py [--jobs 100000] [--users 0] [--pending 2000] [--runs 40] [--only NAME]
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import logging
import os
import pstats
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from inglenook.api.access.keyring import KeyRing
from inglenook.api.app import create_app
from inglenook.api.comfy.entries import show_result
from inglenook.api.comfy.sockets import SocketHub
from inglenook.api.deps import Services
from inglenook.api.webhook_settings import webhooks_of
from inglenook.dispatch.bus import Bus
from inglenook.dispatch.catalogs import Catalogs
from inglenook.dispatch.dispatcher import Dispatcher
from inglenook.dispatch.questions import PackQuestions
from inglenook.jobs import Job, JobId, JobResult, JobStore, State, sqlite_url
from inglenook.jobs.rows import body_row, job_row, output_rows, result_row
from inglenook.media.folders import Folders
from inglenook.media.users import Users
from inglenook.settings import Settings

GRAPH = json.dumps(
    {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 255}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
).encode()
STATES = [State.succeeded] * 8 + [State.failed, State.cancelled]
CLIENTS = 1000
START_MS = 1_763_000_000_000


def id_of(number: int) -> str:
    return str(uuid.UUID(int=random.Random(number).getrandbits(128), version=4))


def make_job(number: int, user: str | None) -> Job:
    extra: dict[str, Any] = {"client_id": "bench", "create_time": START_MS + number * 5}
    if number % 2:
        extra["extra_pnginfo"] = {"workflow": {"id": "w"}}
    client_id = f"bench {number % CLIENTS:x}"
    return Job(
        id=JobId(id_of(number)),
        number=number,
        graph=GRAPH,
        targets=("2",),
        fingerprint="0" * 32,
        created_ms=START_MS + number * 5,
        extra_data=extra,
        extra_json=json.dumps(extra).encode(),
        client_id=client_id,
        user=user,
        workflow_name=f"portrait {number % 7}.json" if number % 3 == 0 else None,
    )


def make_result(number: int, chance: random.Random) -> JobResult:
    state = chance.choice(STATES)
    at = START_MS + number * 5
    image = {"filename": f"ComfyUI_temp_{number:05}_.png", "subfolder": "", "type": "temp"}
    end = {State.succeeded: "Succeeded", State.failed: "Failed", State.cancelled: "Interrupted"}[state]
    ended: dict[str, Any] = {"time_ms": at + 2, "node_id": "2", "class_type": "PreviewImage", "executed": ["1"]}
    ended |= {"message": "no", "exception_type": "ValueError", "traceback": [], "inputs": {}, "current_outputs": []}
    messages = [["Started", {"time_ms": at}], ["Cached", {"nodes": [], "time_ms": at + 1}], [end, ended]]
    meta = {"2": {"node_id": "2", "display_node": "2", "parent_node": None, "real_node_id": "2"}}
    error = {"node_id": "2", "message": "no"} if state is State.failed else None
    return JobResult(state, at + chance.randrange(1, 60_000), {"2": {"images": [image]}}, meta, messages, error)


async def fill(path: Path, count: int, users: Sequence[str] = ()) -> None:
    """Write finished jobs as the store would, without its commits."""
    async with JobStore.open(sqlite_url(path)):
        pass
    chance = random.Random(1)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    for number in range(count):
        job, result = make_job(number, users[number % len(users)] if users else None), make_result(number, chance)
        duration = result.ended_ms - job.created_ms
        row = {**job_row(job), "sequence": number, "state": result.state.value, "attempt": 1, "worker": "cpu"}
        row |= {"started_ms": job.created_ms, "ended_ms": result.ended_ms, "duration_ms": duration}
        _insert(connection, "jobs", {**row, "end_order": number, "in_history": True})
        _insert(connection, "job_body", {**body_row(job), "sequence": number})
        stored = result_row(job.id, result, show_result)
        documents = {name.removesuffix("_json"): stored[name] for name in stored if name.endswith("_json")}
        _insert(connection, "job_result", {**documents, "sequence": number})
        for file in output_rows(job.id, result.outputs):
            names = {name.removeprefix("at_"): file[name] for name in file if name.startswith("at_")}
            _insert(connection, "outputs", {"node_id": names.pop("node"), **names, "sequence": number})
    connection.commit()
    connection.close()


def _insert(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    marks = ",".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({','.join(row)}) VALUES ({marks})", list(row.values()))


class App:
    """The app on a filled database, without workers: its jobs wait for ever."""

    def __init__(self, folder: Path, store: JobStore, user: str | None) -> None:
        settings = Settings(base_directory=folder, multi_user=user is not None)
        folders = Folders.from_settings(settings)
        self.dispatcher = Dispatcher(store, Bus(), [], queue_limit=1_000_000)
        catalogs = Catalogs(folders, folder / "catalog.json")
        questions = PackQuestions(lambda: self.dispatcher.workers, catalogs)
        hub = SocketHub(self.dispatcher, store, {})
        keys, users = KeyRing.of(settings), Users(folders.user, settings.data_folder)
        webhooks = webhooks_of(settings, store)
        services = Services(settings, store, folders, catalogs, self.dispatcher, questions, hub, keys, users, webhooks)
        self._app = create_app(services)
        self._headers = [(b"host", b"127.0.0.1"), (b"accept-encoding", b"gzip")]
        if user is not None:
            self._headers.append((b"comfy-user", user.encode()))

    async def get(self, path: str) -> int:
        """Bytes of the answer; raises unless it is 200."""
        path, _, query = path.partition("?")
        scope: dict[str, Any] = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "headers": self._headers, "scheme": "http", "root_path": "",
            "http_version": "1.1", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "asgi": {"version": "3.0"},
        }  # fmt: skip
        size = 0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            nonlocal size
            if message["type"] == "http.response.start" and message["status"] != 200:
                raise AssertionError(message)
            size += len(message.get("body", b""))

        await self._app(scope, receive, send)
        return size


def questions(count: int, step: int) -> dict[str, Callable[[], str]]:
    """Name -> the path to ask for, another one each time where that matters."""
    chance = random.Random(2)
    anywhere = lambda: chance.randrange(count)  # noqa: E731
    return {
        "prompt": lambda: "/prompt",
        "queue": lambda: "/queue",
        "history, one": lambda: f"/history/{id_of(anywhere() * step)}",
        "history, unknown": lambda: "/history/none",
        "history, newest 10": lambda: "/history?max_items=10",
        "history, newest 100": lambda: "/history?max_items=100",
        "history, any 100": lambda: f"/history?max_items=100&offset={anywhere()}",
        "history, everything": lambda: "/history",
        "jobs, newest 20": lambda: "/api/jobs?limit=20",
        "jobs, any 100": lambda: f"/api/jobs?limit=100&offset={anywhere()}",
        "jobs, ended, newest 100": lambda: "/api/jobs?status=completed,failed,cancelled&limit=100",
        "jobs, ended, any 100": lambda: f"/api/jobs?status=completed,failed,cancelled&limit=100&offset={anywhere()}",
        "jobs, failed, any 100": lambda: f"/api/jobs?status=failed&limit=100&offset={anywhere() // 10}",
        "jobs, pending": lambda: "/api/jobs?status=pending,in_progress&limit=100",
        "jobs, longest 100": lambda: "/api/jobs?sort_by=execution_duration&limit=100",
        "jobs, longest failed 100": lambda: "/api/jobs?status=failed&sort_by=execution_duration&limit=100",
        "jobs of a workflow, newest 100": lambda: "/api/jobs?workflow_id=w&limit=100",
        "jobs of a workflow, failed, any": lambda: (
            f"/api/jobs?workflow_id=w&status=failed&limit=100&offset={anywhere() // 20}"
        ),
        "jobs, mixed, any 100": lambda: f"/api/jobs?status=failed,cancelled&limit=100&offset={anywhere() // 5}",
        "jobs, oldest 100": lambda: "/api/jobs?sort_order=asc&limit=100",
        "jobs, longest, any 100": lambda: f"/api/jobs?sort_by=execution_duration&limit=100&offset={anywhere()}",
        "jobs of a workflow, any 100": lambda: f"/api/jobs?workflow_id=w&limit=100&offset={anywhere() // 2}",
        "jobs of a workflow, ended, any 100": lambda: (
            f"/api/jobs?workflow_id=w&status=completed,failed,cancelled&limit=100&offset={anywhere() // 2}"
        ),
        "jobs of a workflow, longest 100": lambda: "/api/jobs?workflow_id=w&sort_by=execution_duration&limit=100",
        "jobs of a workflow, longest, any 100": lambda: (
            f"/api/jobs?workflow_id=w&sort_by=execution_duration&limit=100&offset={anywhere() // 2}"
        ),
        "tasks, newest 50": lambda: "/api/tasks",
        "tasks, any 50": lambda: f"/api/tasks?page={1 + anywhere() // 50}",
        "tasks, success, any 50": lambda: f"/api/tasks?status=success&page={1 + anywhere() // 63}",
        "tasks, mixed, any 50": lambda: f"/api/tasks?status=error,timeout,cancelled&page={1 + anywhere() // 250}",
        "tasks, longest, any 50": lambda: f"/api/tasks?sort=duration&page={1 + anywhere() // 50}",
        "tasks of a name, newest": lambda: "/api/tasks?workflow=portrait+0.json",
        "tasks of a name, any": lambda: f"/api/tasks?workflow=portrait+0.json&page={1 + anywhere() // 1050}",
        "tasks of a name, error": lambda: "/api/tasks?workflow=portrait+0.json&status=error,timeout",
        "tasks of a name, longest": lambda: "/api/tasks?workflow=portrait+0.json&sort=duration",
        "tasks of a workflow id, any": lambda: f"/api/tasks?workflow=w&page={1 + anywhere() // 100}",
        "tasks of a workflow id, longest, any": lambda: (
            f"/api/tasks?workflow=w&sort=duration&page={1 + anywhere() // 100}"
        ),
        "tasks, search an id": lambda: f"/api/tasks?search={id_of(anywhere() * step)}",
        "tasks, search part of ids": lambda: f"/api/tasks?search={id_of(anywhere() * step)[:6]}",
        "tasks, search a client": lambda: f"/api/tasks?search=BENCH+{chance.randrange(CLIENTS):x}",
        "tasks, search all": lambda: "/api/tasks?search=bench",
        "tasks, search all, any": lambda: f"/api/tasks?search=bench&page={1 + anywhere() // 50}",
        "tasks, search one letter": lambda: "/api/tasks?search=a",
        "tasks, search nothing": lambda: f"/api/tasks?search=none{anywhere()}",
        "tasks, search a client, error": lambda: f"/api/tasks?search=bench+{chance.randrange(CLIENTS):x}&status=error",
        "tasks, search all, error": lambda: "/api/tasks?search=bench&status=error",
        "tasks, search all, longest": lambda: "/api/tasks?search=bench&sort=duration",
        "tasks, search a name": lambda: "/api/tasks?search=portrait",
        "task, one": lambda: f"/api/task/{id_of(anywhere() * step)}",
        "prompt, one": lambda: f"/prompt/{id_of(anywhere() * step)}",
        "outputs": lambda: "/api/outputs",
        "deliveries": lambda: "/api/webhooks/deliveries",
        "job, one": lambda: f"/api/jobs/{id_of(anywhere() * step)}",
    }


async def measure(app: App, path: Callable[[], str], runs: int) -> dict[str, Any]:
    for _ in range(3):
        size = await app.get(path())
    times = []
    cpu = time.process_time()
    end = time.perf_counter() + 5
    while len(times) < runs and (time.perf_counter() < end or len(times) < 5):
        began = time.perf_counter()
        size = await app.get(path())
        times.append(time.perf_counter() - began)
    cpu = (time.process_time() - cpu) / len(times)
    p90 = statistics.quantiles(times, n=10)[-1]
    return {
        "p50_ms": round(statistics.median(times) * 1000, 3),
        "p90_ms": round(p90 * 1000, 3),
        "min_ms": round(min(times) * 1000, 3),
        "cpu_ms": round(cpu * 1000, 3),
        "bytes": size,
    }


async def ask(options: argparse.Namespace, folder: Path) -> None:
    path = folder / "jobs.sqlite"
    known = Users(folder / "user", folder / "user" / "inglenook")
    users = [known.add(f"user{number}") for number in range(options.users)]
    if options.database and options.database.exists():
        shutil.copy(options.database, path)
    else:
        await fill(path, options.jobs, users)
        if options.database:
            shutil.copy(path, options.database)
    user = users[0] if users else None
    async with JobStore.open(sqlite_url(path), history_limit=options.jobs, show_result=show_result) as store:
        app = App(folder, store, user)
        for number in range(options.pending):
            await app.dispatcher.submit(make_job(options.jobs + number, user), frozenset(), {})
        if options.profile:
            profile = cProfile.Profile()
            profile.enable()
            for _ in range(options.runs):
                await app.get(options.profile)
            profile.disable()
            pstats.Stats(profile).sort_stats("tottime").print_stats(30)
            return
        step = max(1, options.users)  # from one job of a user to the next
        for name, path_of in questions(options.jobs // step, step).items():
            if options.only not in name:
                continue
            figures = await measure(app, path_of, options.runs)
            load = round(os.getloadavg()[0], 1)
            print(json.dumps({"bench": "listing", "ask": name, **figures, "load": load}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=0, help="how many users the jobs belong to; 0: not told apart")
    parser.add_argument("--pending", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--only", default="", help="only questions whose name contains this")
    parser.add_argument("--database", type=Path, help="keep the filled database here, or take the one that is there")
    parser.add_argument("--profile", help="profile this path instead, on the event loop's side")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    with suppress(ImportError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(ask(options, Path(folder)))


if __name__ == "__main__":
    main()
