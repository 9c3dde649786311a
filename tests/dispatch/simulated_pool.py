"""A pool on paper: jobs that come at random, workers that hold the models of their last jobs, a clock that jumps."""

from __future__ import annotations

import heapq
import random
import time
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from inglenook.dispatch.needs import Needs, needs
from inglenook.dispatch.placement import OVERTAKES, Files, Pool, Seat, choose, note_time


@dataclass(slots=True, eq=False)
class SimulatedJob:
    needs: Needs
    arrives_s: float
    work_s: float
    overtaken: int = 0
    level: tuple[int, bool] = (0, False)
    starts_s: float = -1.0
    held_since: float | None = None


@dataclass(slots=True)
class SimulatedWorker(Seat):
    holds: int = 2
    """How many models fit into its memory."""
    speed: float = 1.0
    held: OrderedDict[str, None] = field(default_factory=OrderedDict)
    last: Files = ()
    taken: int = 0

    def begin(self, job: SimulatedJob, load_s: float) -> tuple[float, int]:
        """Seconds until the job ends, and how many models had to be loaded."""
        loads = 0
        self.taken += 1
        for name, _ in job.needs.files:
            if name not in self.held:
                loads += 1
                if len(self.held) >= self.holds:
                    self.held.popitem(last=False)
            self.held[name] = None
            self.held.move_to_end(name)
        return loads * load_s + job.work_s / self.speed, loads


@dataclass(slots=True)
class Outcome:
    """What a simulation showed."""

    jobs: list[SimulatedJob]
    loads: int
    least_loads: int
    """No placement that starts the same jobs at the same times can do with fewer: the largest number of jobs with the
    same model that ran at a time, summed over the models, since each of them ran on a worker of its own."""
    placement_s: float
    """Time spent on choosing, all jobs together."""
    most_overtaken: int
    allowed: int
    mean_wait_s: float
    seats: list[SimulatedWorker]

    @property
    def ratio(self) -> float:
        return self.loads / self.least_loads


def simulate(
    *,
    workers=1000,
    jobs=100_000,
    models=50,
    utilisation=0.9,
    popularity=1.0,
    holds=2,
    load_s=10.0,
    seed=1,
    speeds=(1.0,),
):
    """utilisation: work that comes per worker and second, above 1 the queue grows. popularity: the n-th model is used
    in proportion to 1 / n ** popularity."""
    random_ = random.Random(seed)
    seats = [SimulatedWorker(f"w{i}", holds=holds, speed=speeds[i % len(speeds)]) for i in range(workers)]
    kinds = [needs({"Load", "Sample", "Save"}, (), [(f"m{i}.safetensors", 1.0)], f"k{i}") for i in range(models)]
    weights = [1 / (i + 1) ** popularity for i in range(models)]
    rate = utilisation * sum(seat.speed for seat in seats) / 10.0
    clock, coming = 0.0, deque()
    for kind in random_.choices(kinds, weights, k=jobs):
        clock += random_.expovariate(rate)
        coming.append(SimulatedJob(kind, clock, random_.uniform(5.0, 15.0)))
    return _run(seats, coming, load_s)


def _run(seats, coming, load_s):
    everything = list(coming)
    waiting: list[SimulatedJob] = []
    free = list(seats)
    ends: list[tuple[float, int, SimulatedWorker, SimulatedJob]] = []
    times: dict[str, float] = {}
    running, peak = Counter(), Counter()
    loads = tick = most = 0
    spent = 0.0
    held: Sequence[SimulatedJob] = ()
    since: dict[SimulatedJob, float] = {}
    warm: dict[Files, list[SimulatedWorker]] = defaultdict(list)
    while coming or ends:
        if ends and (not coming or ends[0][0] <= coming[0].arrives_s):
            clock, _, seat, job = heapq.heappop(ends)
            seat.leave(job.needs, clock - job.starts_s)
            note_time(times, job.needs.kind, clock - job.starts_s)
            running[job.needs.files] -= 1
            free.append(seat)
            warm[job.needs.files].append(seat)
            seat.last = job.needs.files
        else:
            job = coming.popleft()
            clock = job.arrives_s
            waiting.append(job)
        while True:
            began = time.thread_time()
            pool = Pool(free, warm, len(seats), running, times, lambda _job, _seat: True)
            decision = choose(waiting, pool, clock)
            spent += time.thread_time() - began
            if decision.start is None:
                for job in held:
                    job.held_since = None
                held = decision.held if free else ()
                for job in held:
                    job.held_since = since.setdefault(job, clock)
                since = {job: since[job] for job in held}
                break
            tick += 1
            for job in decision.held:
                job.overtaken += 1
                most = max(most, job.overtaken)
            job, seat = decision.start
            waiting.remove(job)
            free.remove(seat)
            if seat.last:
                warm[seat.last].remove(seat)
            seat.started(job.needs, tick)
            lasts_s, loaded = seat.begin(job, load_s)
            loads += loaded
            job.starts_s = clock
            running[job.needs.files] += 1
            peak[job.needs.files] = max(peak[job.needs.files], running[job.needs.files])
            heapq.heappush(ends, (clock + lasts_s, tick, seat, job))
    wait_s = sum(job.starts_s - job.arrives_s for job in everything) / len(everything)
    return Outcome(everything, loads, sum(peak.values()), spent, most, OVERTAKES * len(seats), wait_s, list(seats))
