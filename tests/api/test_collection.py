"""The garbage collector rests only while somebody asks it to."""

import gc

import pytest

from inglenook.api.collection import collection_paused


def test_it_rests_until_the_last_pause_ends():
    with collection_paused():
        with collection_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_goes_on_after_an_error():
    with pytest.raises(ValueError, match="no"), collection_paused():
        raise ValueError("no")
    assert gc.isenabled()
