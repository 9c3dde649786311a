"""Parameters of real workflows against what people say they are (`tests/data/parameters`)."""

import gzip
import json
from pathlib import Path

import pytest

from inglenook.engine.catalog import Catalog
from inglenook.workflows.parameters import recognise

DATA = Path(__file__).parent.parent / "data" / "parameters"
LABELS = json.loads((DATA / "labels.json").read_text())


def read(name):
    with gzip.open(DATA / name, "rt", encoding="utf-8") as file:
        return json.load(file)


@pytest.fixture(scope="module")
def recognised():
    catalog = Catalog.from_documents(read("catalog.json.gz"), lambda source: (), lambda value, kind: False)
    return {name: recognise(graph, catalog) for name, graph in read("graphs.json.gz").items()}


def mistakes(recognised):
    """(workflow, key, role that people say, role that was found) where they differ."""
    for workflow, labels in LABELS.items():
        found = {one.key: one.role for one in recognised[workflow]}
        for key, role in labels.items():
            if found.get(key) != role:
                yield workflow, key, role, found.get(key)


def test_nearly_all_parameters_are_found_in_the_role_that_people_say(recognised):
    labelled = [role for labels in LABELS.values() for role in labels.values() if role != "advanced"]
    wrong = [one for one in mistakes(recognised) if one[2] != "advanced"]
    assert len(labelled) > 600
    assert len(wrong) <= 0.05 * len(labelled), wrong


def test_what_only_looks_like_a_parameter_has_no_role(recognised):
    assert [one for one in mistakes(recognised) if one[2] == "advanced"] == []


@pytest.mark.parametrize("workflow", LABELS)
def test_no_two_parameters_have_one_name(recognised, workflow):
    names = [one.name for one in recognised[workflow]]
    assert len(names) == len({name.casefold() for name in names})
    assert all(name.isascii() and name.replace("_", "").isalnum() and name == name.lower() for name in names), names
