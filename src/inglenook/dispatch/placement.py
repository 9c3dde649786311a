"""Which job starts next, and on which worker: a pure function of what waits, what is free and what ran where.

Jobs start in their order, each on the free worker where it is likely to end first: the time until the worker's other
jobs are done, the time to load model files that were not used there lately, and the time that workflows of its kind
took there.

A job for which every free worker would have to load models waits instead where that is likely to be shorter: until one
of the workers that run jobs with the same models is free. No worker is left idle for that for longer than the loading
would take, twice that where it would push out other models. Later jobs may start meanwhile: at most twice as many as
the pool runs at a time, none of lower priority. With one worker no job is ever overtaken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Generic, Protocol, TypeVar

from inglenook.dispatch.needs import Needs

Files = tuple[tuple[str, float], ...]
"""Model files with their weights, see `Needs.files`."""

LOAD_S = 10.0
"""What loading a checkpoint is taken to cost."""
TYPICAL_S = 10.0
"""What a job takes of whose kind none has run."""
OVERTAKES = 2
"""By how many times as many jobs as run at a time a job may be overtaken."""
WINDOW = 200
"""How many jobs may wait for workers that have their models while others start."""
SAMPLE = 24
"""How many free workers are looked at beside those that have the models of a job: those idle for longest."""
_EVICTION = 2.0
_BEYOND = 1000
_UNFAIR = 2.0
_ALIKE = 1.25
"""Workers whose times differ by less are equally fast."""
_MOST_FILES = 64
_MOST_KINDS = 500
_NEWEST = 0.3
"""Share of the last run in the measured time of a kind."""


@dataclass(slots=True)
class Seat:
    """What placement knows of a worker."""

    name: str
    running: int = 0
    """Jobs that it has now."""
    last_used: int = 0
    """When a job was last given to it, counted in jobs; 0 for never."""
    loads: int = 0
    """How often it had to load something."""
    stamps: dict[str, int] = field(default_factory=dict)
    """Model file -> `loads` when it was last used."""
    times: dict[str, float] = field(default_factory=dict)
    """Kind of job -> measured seconds."""

    def load_s(self, needs: Needs) -> float:
        """How long it will take to load what the job needs: a file is likely to be gone the more was loaded since."""
        missing = 0.0
        for name, weight in needs.files:
            stamp = self.stamps.get(name)
            if stamp is None:
                missing += weight
            elif stamp != self.loads:
                missing += weight * (1.0 - 0.5 ** min(self.loads - stamp, 20))
        return missing * LOAD_S

    def started(self, needs: Needs, tick: int) -> None:
        """A job was given to it."""
        self.running += 1
        self.last_used = tick
        if self.load_s(needs) > 0:
            self.loads += 1
        for name, _ in needs.files:
            self.stamps.pop(name, None)
            self.stamps[name] = self.loads
        while len(self.stamps) > _MOST_FILES:
            del self.stamps[next(iter(self.stamps))]

    def leave(self, needs: Needs, seconds: float | None) -> None:
        """A job left it; seconds: how long it ran, where that says how fast the worker is."""
        self.running -= 1
        if seconds is not None:
            note_time(self.times, needs.kind, seconds)

    def forget(self) -> None:
        """Its process is a new one: nothing is loaded."""
        self.loads = 0
        self.stamps.clear()


def note_time(times: dict[str, float], kind: str, seconds: float) -> None:
    """Take a measured time into a moving average."""
    before = times.pop(kind, None)
    times[kind] = seconds if before is None else before + _NEWEST * (seconds - before)
    if len(times) > _MOST_KINDS:
        del times[next(iter(times))]


class Candidate(Protocol):
    """A job that waits."""

    @property
    def needs(self) -> Needs: ...

    @property
    def level(self) -> tuple[int, bool]:
        """Jobs of one level may overtake each other."""

    @property
    def overtaken(self) -> int:
        """By how many later jobs."""

    @property
    def held_since(self) -> float | None:
        """Since when a free worker is left idle while it waits for one that has its models, in seconds of any clock."""


AnyCandidate = TypeVar("AnyCandidate", bound=Candidate)
AnySeat = TypeVar("AnySeat", bound=Seat)


@dataclass(frozen=True, slots=True)
class Pool(Generic[AnyCandidate, AnySeat]):
    """The workers, as placement sees them."""

    free: Sequence[AnySeat]
    """Those that can take a job, idle for longest first."""
    warm: Mapping[Files, Sequence[AnySeat]]
    """Model files -> those of the free ones whose last job had just these."""
    slots: int
    """How many jobs all of them run at a time."""
    running: Mapping[Files, int]
    """Model files -> how many jobs with just these run."""
    times: Mapping[str, float]
    """Kind of job -> seconds that it takes."""
    can_run: Callable[[AnyCandidate, AnySeat], bool]


@dataclass(frozen=True, slots=True)
class Decision(Generic[AnyCandidate, AnySeat]):
    """What to do now."""

    start: tuple[AnyCandidate, AnySeat] | None = None
    held: Sequence[AnyCandidate] = ()
    """Earlier jobs that a free worker could run, but that wait for one with their models."""


def choose(
    waiting: Iterable[AnyCandidate], pool: Pool[AnyCandidate, AnySeat], now_s: float
) -> Decision[AnyCandidate, AnySeat]:
    """Return the next job to start, and where. waiting: in order."""
    if not pool.free:
        return Decision()
    best: dict[Needs, AnySeat | None] = {}
    held: list[AnyCandidate] = []
    ahead: dict[Files, int] = {}
    overdue: tuple[AnyCandidate, AnySeat] | None = None
    queue = iter(waiting)
    for job in queue:
        if held and job.level != held[0].level:
            break
        if len(held) >= WINDOW:
            return _beyond(held, job, queue, pool) or Decision(overdue or _first_seated(held, pool), ())
        needs = job.needs
        if _is_clearly_worth_waiting(job, pool, ahead, now_s):
            held.append(job)
            continue
        if needs not in best:
            best[needs] = _best(job, pool)
        seat = best[needs]
        if seat is None or not pool.can_run(job, seat):
            continue
        if not _is_worth_waiting(job, seat, pool, ahead):
            if pool.slots > 1 and seat.stamps and seat.load_s(needs) > 0:
                fitting = _fitting(job, seat, pool, ahead, queue)
                if fitting is not None:
                    return Decision((fitting[0], seat), [*held, *fitting[1]])
            return Decision((job, seat), held)
        if overdue is None and job.held_since is not None and now_s - job.held_since >= _switch_s(seat, needs):
            overdue = (job, seat)
        held.append(job)
    if overdue is not None:
        return Decision(overdue, held[: held.index(overdue[0])])
    return Decision(None, held)


def _beyond(
    held: Sequence[AnyCandidate],
    next_one: AnyCandidate,
    later: Iterator[AnyCandidate],
    pool: Pool[AnyCandidate, AnySeat],
) -> Decision[AnyCandidate, AnySeat] | None:
    """A job behind all those that wait for others for which a free worker has the models, if no worker is new."""
    if not pool.free[0].stamps or held[0].overtaken >= OVERTAKES * pool.slots:
        return None
    passed = list(held)
    for job in chain((next_one,), islice(later, _BEYOND)):
        if job.level != held[0].level:
            break
        for seat in pool.warm.get(job.needs.files, ()):
            if job.needs.files and pool.can_run(job, seat):
                return Decision((job, seat), passed)
        passed.append(job)
    return None


def _first_seated(
    held: Sequence[AnyCandidate], pool: Pool[AnyCandidate, AnySeat]
) -> tuple[AnyCandidate, AnySeat] | None:
    """The first of those that wait, where some free worker can run it: so many should not wait for others."""
    for job in held[:SAMPLE]:
        seat = _best(job, pool)
        if seat is not None:
            return job, seat
    return None


def _best(job: AnyCandidate, pool: Pool[AnyCandidate, AnySeat]) -> AnySeat | None:
    """The free worker where a job is likely to end first; None where none can run it.

    Of equal ones that have its models the one that was used last, so that others can do without these models; of equal
    ones that do not, the one that was not used for longest.
    """
    warm = pool.warm.get(job.needs.files, ()) if job.needs.files else ()
    found = _best_of(job, (*warm, *pool.free[:SAMPLE]), pool)
    return _best_of(job, pool.free[SAMPLE:], pool) if found is None else found


def _best_of(job: AnyCandidate, seats: Sequence[AnySeat], pool: Pool[AnyCandidate, AnySeat]) -> AnySeat | None:
    needs = job.needs
    typical = pool.times.get(needs.kind, TYPICAL_S)
    best: AnySeat | None = None
    best_key = (float("inf"), 0)
    for seat in seats:
        load_s = seat.load_s(needs)
        total = load_s + _run_s(seat, needs.kind, typical) + seat.running * typical
        if total <= best_key[0]:
            key = (total, seat.last_used if load_s else -seat.last_used)
            if key < best_key and pool.can_run(job, seat):
                best, best_key = seat, key
    return best


def _run_s(seat: Seat, kind: str, typical: float) -> float:
    measured = seat.times.get(kind)
    return typical if measured is None or typical / _ALIKE < measured < typical * _ALIKE else measured


def _fitting(
    job: AnyCandidate,
    seat: AnySeat,
    pool: Pool[AnyCandidate, AnySeat],
    ahead: Mapping[Files, int],
    later: Iterator[AnyCandidate],
) -> tuple[AnyCandidate, Sequence[AnyCandidate]] | None:
    """A later job for which this worker has the models, with those that it overtakes; None to load other models.

    Where more jobs wait than run, each model should have its share of the workers: this one changes sides when twice
    as many jobs wait for each worker with the other models as for each with its own.
    """
    most = OVERTAKES * pool.slots
    first: AnyCandidate | None = None
    passed = [job]
    waiting, own = ahead.get(job.needs.files, 0) + 1, 0
    fits: dict[Files, bool] = {}
    for other in islice(later, WINDOW):
        if other.level != job.level:
            break
        files = other.needs.files
        if files == job.needs.files:
            waiting += 1
        elif files:
            if files not in fits:
                fits[files] = seat.load_s(other.needs) == 0 and pool.can_run(other, seat)
            if fits[files]:
                own += 1
                first = first or other
        if first is None:
            passed.append(other)
    if first is None or any(one.overtaken >= most for one in passed):
        return None
    theirs = waiting / (pool.running.get(job.needs.files, 0) + 1)
    ours = own / (pool.running.get(first.needs.files, 0) + 1)
    return None if theirs > _UNFAIR * ours else (first, passed)


def _is_clearly_worth_waiting(job: Candidate, pool: Pool[Any, Any], ahead: dict[Files, int], now_s: float) -> bool:
    """Whether a job waits for a worker with its models whatever free worker there is, as far as a glance tells.

    Most of those that wait do so for long: looking at every free worker for each of them would cost milliseconds.
    """
    files = job.needs.files
    if not files or pool.warm.get(files):
        return False
    load_s = sum(weight for _, weight in files) * LOAD_S / 2  # some of them may be there
    if pool.free[0].stamps:  # so no worker is new
        load_s *= _EVICTION
    if job.held_since is not None and now_s - job.held_since >= load_s:
        return False
    return _waits(job, pool, ahead, load_s)


def _is_worth_waiting(job: Candidate, seat: Seat, pool: Pool[Any, Any], ahead: dict[Files, int]) -> bool:
    """Whether a worker that has the models of a job will be free sooner than this one would have loaded them."""
    return _waits(job, pool, ahead, _switch_s(seat, job.needs))


def _switch_s(seat: Seat, needs: Needs) -> float:
    """What it costs to load what a job needs; more where that pushes out models that other jobs will want again."""
    return seat.load_s(needs) * (_EVICTION if seat.stamps else 1.0)


def _waits(job: Candidate, pool: Pool[Any, Any], ahead: dict[Files, int], load_s: float) -> bool:
    """Of n jobs that end at random within the time that one takes, the k-th is expected to end after k / (n + 1) of it.

    ahead: how many jobs wait for workers with these models already.
    """
    files = job.needs.files
    running = pool.running.get(files, 0)
    if not running or load_s == 0 or pool.slots == 1 or job.overtaken >= OVERTAKES * pool.slots:
        return False
    place = ahead.get(files, 0) + 1
    if pool.times.get(job.needs.kind, TYPICAL_S) * place / (running + 1) >= load_s:
        return False
    ahead[files] = place
    return True
