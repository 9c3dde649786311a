"""UI-format workflows with the graphs that the official editor exports for them, recorded in a browser."""

import hashlib
import json
import re
from datetime import datetime

import pytest

from inglenook.workflows import to_graph
from tests.workflows.conftest import read_data

CASES = read_data("editor_exports.json.gz")


def canonical(graph, catalog):
    """Node id -> (class, inputs) without what the server ignores; numbers as floats, as JSON of a browser has them."""
    found = {}
    for node_id, entry in graph.items():
        known = catalog.get(entry["class_type"]).inputs
        inputs = {
            name: float(value) if type(value) in (int, float) else value
            for name, value in entry["inputs"].items()
            if value is not None and (name in known or isinstance(value, list))
        }
        found[node_id] = {"class_type": entry["class_type"], "inputs": inputs}
    return found


def signatures(graph):
    """One digest for each node, of all that it depends on: equal for graphs that differ in their ids only."""
    known = {}

    def digest(node_id):
        if node_id not in known:
            entry = graph[node_id]
            inputs = {
                name: [digest(value[0]), value[1]] if isinstance(value, list) else value
                for name, value in entry["inputs"].items()
            }
            text = json.dumps([entry["class_type"], inputs], sort_keys=True)
            known[node_id] = hashlib.sha1(text.encode()).hexdigest()
        return known[node_id]

    return sorted(digest(node_id) for node_id in graph)


def allow(got, want, case):
    """Take accepted values (random choices, dates) for the recorded ones."""
    accepted = {
        place: lambda value, choices=choices: value in choices for place, choices in case.get("any", {}).items()
    }
    accepted.update(
        (place, lambda value, pattern=pattern: re.fullmatch(pattern, value) is not None)
        for place, pattern in case.get("re", {}).items()
    )
    for place, fits in accepted.items():
        node_id, name = place.rsplit(".", 1)
        assert fits(got[node_id]["inputs"][name])
        want[node_id]["inputs"][name] = got[node_id]["inputs"][name]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case["compare"] == "graph"])
def test_a_workflow_becomes_what_the_editor_exports(name, recorded_catalog):
    case = CASES[name]
    converted = to_graph(case["workflow"], recorded_catalog, now=datetime(2026, 4, 5, 6, 7, 8))
    got, want = canonical(converted.graph, recorded_catalog), canonical(case["api"], recorded_catalog)
    allow(got, want, case)
    if got != want:
        assert signatures(got) == signatures(want)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case["compare"] == "survive"])
def test_a_workflow_that_the_editor_cannot_export_still_becomes_a_graph(name, recorded_catalog):
    converted = to_graph(CASES[name]["workflow"], recorded_catalog)
    assert all(set(entry) == {"class_type", "inputs", "_meta"} for entry in converted.graph.values())


def test_a_copy_of_a_workflow_is_not_changed_by_converting_it(recorded_catalog):
    for case in CASES.values():
        before = json.dumps(case["workflow"])
        to_graph(case["workflow"], recorded_catalog)
        assert json.dumps(case["workflow"]) == before
