"""The event loop of packs."""

import asyncio
import sys

import pytest

from inglenook.packs.side_loop import SideLoop


@pytest.fixture
def side():
    loop = SideLoop().start()
    yield loop
    loop.stop()


async def answer():
    return 42


async def leave():
    sys.exit(3)


def on(side, work):
    return asyncio.run_coroutine_threadsafe(work, side.loop).result(60)


def test_a_task_that_wants_to_end_the_process_ends_alone(side):
    with pytest.raises(SystemExit):
        on(side, leave())
    assert on(side, answer()) == 42


def test_code_that_stops_the_loop_does_not_stop_it_for_others(side):
    side.loop.call_soon_threadsafe(side.loop.stop)
    assert on(side, answer()) == 42
