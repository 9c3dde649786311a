"""How long a job will take, from what is known of earlier ones."""

import json

import pytest

from inglenook.dispatch.durations import Durations, remaining_s, work_of


def graph(*, steps=20, seed=1, text="a cat", width=512, sampler="KSampler"):
    nodes = {
        "1": {"class_type": "CLIPTextEncode", "inputs": {"text": text}},
        "2": {"class_type": sampler, "inputs": {"positive": ["1", 0], "seed": seed, "steps": steps, "width": width}},
    }
    return work_of(json.dumps(nodes).encode())


def test_texts_and_seeds_do_not_make_other_work():
    assert graph(seed=1, text="a cat") == graph(seed=2, text="a dog")
    assert graph(width=512) != graph(width=1024)


def test_the_median_of_the_last_runs_of_the_same_work_is_expected():
    durations = Durations()
    for seconds in (60.0, 10.0, 11.0, 12.0):  # the first one loaded the model
        durations.add(graph(), seconds)
    assert durations.expected_s(graph(seed=5)) == 11.5


def test_other_numbers_of_steps_take_in_proportion():
    durations = Durations()
    durations.add(graph(steps=20), 10.0)
    assert durations.expected_s(graph(steps=40)) == 20.0
    assert durations.expected_s(graph(sampler="Other")) is None


@pytest.mark.parametrize(
    ("expected", "elapsed", "percent", "remaining"),
    [
        (10.0, 4.0, 90.0, 6.0),  # as before
        (10.0, 20.0, 50.0, 20.0),  # slower than ever: by its progress
        (None, 2.0, 50.0, 2.0),
        (None, 0.2, 50.0, None),  # too soon to say
        (None, 20.0, 0.0, None),
        (10.0, 20.0, 0.0, None),
    ],
)
def test_the_rest_is_told_where_something_is_known(expected, elapsed, percent, remaining):
    assert remaining_s(expected, elapsed, percent) == remaining
