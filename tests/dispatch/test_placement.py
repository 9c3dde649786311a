"""Which job starts next, and where: the rules, and a simulated pool."""

import pytest

from inglenook.dispatch.needs import needs
from inglenook.dispatch.placement import OVERTAKES, WINDOW, Pool, Seat, choose
from tests.dispatch.simulated_pool import SimulatedJob, simulate


def job(*files, kind="k", classes=("A",), **fields):
    return SimulatedJob(needs(classes, (), [(name, 1.0) for name in files], kind), 0.0, 1.0, **fields)


def pool(*free, running=None, times=None, slots=8, can_run=lambda job, seat: True):
    warm = {}
    for seat in free:
        files = tuple((name, 1.0) for name, stamp in seat.stamps.items() if stamp == seat.loads)
        warm.setdefault(files, []).append(seat)
    return Pool(free, warm, slots, running or {}, times or {}, can_run)


def used(name, *files, tick=1, **fields):
    seat = Seat(name, **fields)
    for number, one in enumerate(files):
        seat.started(needs(("A",), (), [(one, 1.0)]), tick + number)
        seat.leave(needs(("A",), (), [(one, 1.0)]), None)
    return seat


def started(waiting, given, now_s=0.0):
    decision = choose(waiting, given, now_s)
    return None if decision.start is None else (waiting.index(decision.start[0]), decision.start[1].name)


def test_nothing_starts_without_a_free_worker_or_a_job():
    assert choose([job()], pool(), 0).start is None
    assert choose([], pool(Seat("a")), 0).start is None


def test_the_first_job_starts_on_a_worker_that_can_run_it():
    can_run = lambda job, seat: seat.name == "b"  # noqa: E731
    assert started([job(), job()], pool(Seat("a"), Seat("b"), can_run=can_run)) == (0, "b")


def test_a_job_that_no_free_worker_can_run_does_not_block_the_next():
    odd, plain = job(classes=("Odd",)), job()
    assert started([odd, plain], pool(Seat("a"), can_run=lambda one, _: one is not odd)) == (1, "a")


def test_the_worker_that_used_the_model_last_gets_the_job():
    given = pool(used("other", "y"), used("longer-ago", "x", "y"), used("last", "y", "x"))
    assert started([job("x")], given) == (0, "last")


def test_the_worker_with_the_shortest_queue_gets_the_job():
    assert started([job()], pool(Seat("a", running=1), Seat("b"))) == (0, "b")


def test_a_much_faster_worker_gets_the_job_although_it_must_load_the_model():
    slow, fast = used("slow", "x"), Seat("fast")
    slow.times["k"], fast.times["k"] = 100.0, 5.0
    assert started([job("x")], pool(slow, fast, times={"k": 50.0})) == (0, "fast")


def test_small_differences_of_speed_do_not_cost_a_load():
    warm, fresh = used("warm", "x"), Seat("fresh")
    warm.times["k"], fresh.times["k"] = 11.0, 10.0
    assert started([job("x")], pool(warm, fresh, times={"k": 10.5})) == (0, "warm")


def test_a_job_waits_for_a_worker_with_its_model_where_that_is_sooner_than_loading_it():
    files = (("x", 1.0),)
    waiting, given = [job("x")], pool(used("other", "y"), running={files: 4}, times={"k": 10.0})
    decision = choose(waiting, given, 0)
    assert decision.start is None
    assert decision.held == waiting
    assert started([job("x"), job("y")], given) == (1, "other")
    long_running = pool(used("other", "y"), running={files: 4}, times={"k": 100.0})
    assert started([job("x")], long_running) == (0, "other")


def test_no_worker_is_left_idle_for_longer_than_loading_would_take():
    given = pool(used("other", "y"), running={(("x", 1.0),): 4}, times={"k": 10.0})
    assert started([job("x", held_since=0.0)], given, now_s=19.0) is None
    assert started([job("x", held_since=0.0)], given, now_s=20.0) == (0, "other")
    new = pool(Seat("new"), running={(("x", 1.0),): 4}, times={"k": 10.0})
    assert started([job("x", held_since=0.0)], new, now_s=10.0) == (0, "new")


def test_a_job_behind_many_that_wait_starts_where_its_model_is():
    crowd = [job(f"m{number % 50}", kind=f"m{number % 50}") for number in range(WINDOW + 50)]
    running = {((f"m{number}", 1.0),): 100 for number in range(50)}
    times = {f"m{number}": 1.0 for number in range(50)}
    given = pool(used("other", "y"), running=running, times=times, slots=1000)
    decision = choose([*crowd, job("y")], given, 0)
    assert decision.start is not None
    assert decision.start[0].needs.files == (("y", 1.0),)
    assert len(decision.held) == len(crowd), "each of them was overtaken once"
    assert started(crowd, given) == (0, "other"), "so many do not wait while a worker is idle"


def test_a_job_is_overtaken_by_a_bounded_number_and_never_by_another_level():
    given = pool(used("other", "y"), running={(("x", 1.0),): 4}, times={"k": 10.0}, slots=8)
    assert started([job("x", overtaken=OVERTAKES * 8), job("y")], given) == (0, "other")
    assert started([job("x", level=(1, False)), job("y")], given) is None


def test_with_one_worker_the_order_is_kept():
    alone = pool(used("only", "y"), running={(("x", 1.0),): 1}, times={"k": 10.0}, slots=1)
    assert started([job("x"), job("y")], alone) == (0, "only")


@pytest.mark.parametrize(("utilisation", "popularity"), [(0.5, 1.0), (0.9, 0.0), (1.3, 1.0)])
def test_few_models_are_loaded_more_than_once_and_nobody_starves(utilisation, popularity):
    done = simulate(workers=60, jobs=1500, models=8, utilisation=utilisation, popularity=popularity)
    assert all(job.starts_s >= job.arrives_s for job in done.jobs)
    assert done.ratio <= 1.3
    assert done.most_overtaken <= done.allowed


def test_fast_workers_run_more_of_the_jobs():
    done = simulate(workers=20, jobs=600, models=2, utilisation=0.4, speeds=(1.0, 4.0))
    slow, fast = (sum(seat.times.get("k0", 0) for seat in done.seats[i::2]) for i in (0, 1))
    assert fast < slow
    of_fast = sum(seat.taken for seat in done.seats[1::2])
    assert of_fast > 0.6 * len(done.jobs)
