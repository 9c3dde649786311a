"""The garbage collector rests only while somebody asks it to."""

import gc

import pytest

from inglenook.api.collection import collection_paused


def test_it_rests_until_the_last_short_pause_ends():
    with collection_paused():
        with collection_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_long_pauses_that_overlap_do_not_add_up():
    first, second = collection_paused(is_long=True), collection_paused(is_long=True)
    first.__enter__()
    assert not gc.isenabled()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_it_goes_on_after_an_error():
    with pytest.raises(ValueError, match="no"), collection_paused(is_long=True):
        raise ValueError("no")
    assert gc.isenabled()


async def test_it_works_again_after_a_long_history_was_read(idle):
    assert (await idle.http.get("/history")).status_code == 200
    assert (await idle.http.get("/history?max_items=x")).status_code == 400
    assert gc.isenabled()
